"""From masks to the frozen policy, and the digest that is its identity.

The digest covers what the set means and nothing else: two sets with the same digest decide every question
alike, so comments, titles, hints, tests, layout and the version for people do not move it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from authz.draft import KindDraft, PermissionDraft, PolicyDraft, RoleDraft, SetDraft
from authz.expand import Expansion, Mask
from authz.guards import PLAIN
from authz.policy import AgentKind, Permission, Policy, Promise, Redirect, Role, Separation, SignIn, Task

DIGITS = 12


def build_permissions(draft: SetDraft, sensitivities: tuple[str, ...]) -> dict[str, Permission]:
    """The catalogue; a sensitivity that is not declared counts as the lowest, having been reported."""
    return {str(key): _permission(found, sensitivities) for key, found in draft.permissions.items()}


def _permission(draft: PermissionDraft, sensitivities: tuple[str, ...]) -> Permission:
    known = draft.sensitivity in sensitivities
    return Permission(
        str(draft.key),
        draft.title,
        draft.area,
        str(draft.sensitivity),
        sensitivities.index(draft.sensitivity) if known else 0,
        draft.effect,
        tuple(map(str, draft.needs)),
        MappingProxyType(dict(draft.properties)),
        draft.wildcard,
    )


def build_policy(policy: PolicyDraft, expansion: Expansion, source_digest: str) -> Policy:
    """The policy of all sound roles."""
    draft, tasks = expansion.draft, expansion.draft.tasks.values()
    roles = {role.key: _role(role, mask) for role, mask in expansion.sound()}
    return _with_digest(
        {
            "name": policy.name,
            "version": policy.version,
            "source_digest": source_digest,
            "sensitivities": policy.sensitivities,
            "permissions": MappingProxyType(dict(expansion.permissions)),
            "roles": MappingProxyType(roles),
            "agents": MappingProxyType({str(k): _kind(v, policy, expansion) for k, v in draft.kinds.items()}),
            "redirects": tuple(Redirect(r.practice_kind, str(r.agent_kind), r.to, r.override) for r in draft.redirects),
            "promises": tuple(
                Promise(p.held_by, frozenset(map(str, p.permissions)), p.because, p.permissions) for p in draft.promises
            ),
            "separations": tuple(
                Separation(str(s.id), tuple(map(str, s.permissions)), s.at_most, s.because, s.enforced)
                for s in draft.separations.values()
            ),
            "tasks": MappingProxyType(
                {str(t.key): Task(str(t.key), t.says, tuple(map(str, t.needs)), str(t.recommend)) for t in tasks}
            ),
            "tokens": policy.tokens,
            "engagements": policy.engagements,
            "reviews": policy.reviews,
            "training": policy.training,
            "limits": MappingProxyType(dict(policy.limits)),
            "sign_in": policy.sign_in,
        }
    )


def _role(draft: RoleDraft, mask: Mask) -> Role:
    guards = {key: found for key, found in mask.held.items() if found != PLAIN}
    return Role(
        draft.key,
        draft.title,
        draft.hint,
        frozenset(map(str, draft.held_by)),
        frozenset(map(str, draft.granted_by)),
        draft.sensitive,
        draft.root,
        tuple(map(str, draft.includes)),
        str(draft.sensitivity_max),
        frozenset(mask.held),
        MappingProxyType(guards),
        draft.review_days,
        MappingProxyType(mask.via),
    )


def _kind(draft: KindDraft, policy: PolicyDraft, expansion: Expansion) -> AgentKind:
    return AgentKind(
        str(draft.key),
        draft.title,
        draft.agreement,
        draft.agreement_required_from and str(draft.agreement_required_from),
        str(draft.sensitivity_max),
        ceiling(draft, policy.sensitivities, expansion),
        tuple(map(str, draft.roles)),
        draft.key,
    )


def ceiling(draft: KindDraft, sensitivities: Sequence[str], expansion: Expansion) -> frozenset[str]:
    """What an agent of this kind may ever have: neither promised away nor above the kind's sensitivity_max."""
    highest = sensitivities.index(draft.sensitivity_max) if draft.sensitivity_max in sensitivities else -1
    promises = [promise for promise in expansion.draft.promises if promise.held_by == "agent"]
    promised = {key for promise in promises for key in promise.permissions}
    return frozenset(
        key for key, found in expansion.permissions.items() if found.rank <= highest and key not in promised
    )


def _with_digest(parts: Mapping[str, Any]) -> Policy:
    """The policy of these parts; `parts` are its fields by name."""
    canonical = json.dumps(_meaning(parts), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return Policy(digest=hashlib.sha256(canonical.encode()).hexdigest()[:DIGITS], **parts)


def _meaning(parts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "sensitivities": parts["sensitivities"],
        "permissions": {
            key: [found.sensitivity, found.effect, sorted(found.needs), dict(found.properties)]
            for key, found in parts["permissions"].items()
        },
        "roles": {key: _role_meaning(role) for key, role in parts["roles"].items()},
        "agents": {
            key: [kind.agreement, kind.agreement_required_from, sorted(kind.ceiling), sorted(kind.roles)]
            for key, kind in parts["agents"].items()
        },
        "redirects": sorted([r.practice_kind, r.agent_kind, r.to, r.override] for r in parts["redirects"]),
        "promises": sorted([p.held_by, key] for p in parts["promises"] for key in p.permissions),
        "separations": sorted([s.id, sorted(s.permissions), s.at_most, s.enforced] for s in parts["separations"]),
        "tasks": {key: [sorted(task.needs), task.recommend] for key, task in parts["tasks"].items()},
        "tokens": [parts["tokens"].ttl_minutes, parts["tokens"].attempts],
        "engagements": _engagements_meaning(parts["engagements"]),
        "reviews": [parts["reviews"].default_days, parts["reviews"].overdue_days],
        "training": parts["training"].months,
        **({"limits": dict(parts["limits"])} if parts["limits"] else {}),
        **_sign_in_meaning(parts["sign_in"]),
    }


def _sign_in_meaning(sign_in: SignIn) -> dict[str, Any]:
    """What is left out means optional, and so has the digest of it."""
    return {} if sign_in == SignIn() else {"sign_in": [sign_in.second_factor]}


def _role_meaning(role: Role) -> list[Any]:
    guards = {key: sorted(json.dumps(_guard_meaning(guard)) for guard in found) for key, found in role.guards.items()}
    return [
        sorted(role.permissions),
        guards,
        sorted(role.held_by),
        sorted(role.granted_by),
        [role.sensitive, role.root, role.review_days],
    ]


def _guard_meaning(guard: Any) -> list[list[str]]:
    """Clauses and conditions in no order: both are sets in meaning."""
    return sorted(sorted(json.dumps([c.name, c.type, c.operator, c.value]) for c in clause) for clause in guard)


def _engagements_meaning(engagements: Any) -> list[Any]:
    return [engagements.default_days, engagements.max_days, sorted(engagements.notice_days), engagements.grace_days]
