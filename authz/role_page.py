"""What `sparekey policy explain ROLE PERMISSION` prints: the way from the role to the line that grants it, and for
whom the permission comes through."""

from __future__ import annotations

from collections.abc import Iterator

from authz.coverage import holders
from authz.decide import Decision, Reason, Seat
from authz.explain import chain, would_be_allowed_by
from authz.plain_words import a, as_given, ceiling_words, granters, guard_words
from authz.policy import Permission, Policy, Role


def role_page(policy: Policy, role: str, permission: str) -> str:
    """Both are known to the policy."""
    found, asked = policy.roles[role], policy.permissions[permission]
    holds = permission in found.permissions
    says = f"{role} {'holds' if holds else 'does not hold'} {permission}"
    lines = [f"{says}: {asked.title} ({asked.area}, {asked.sensitivity}, {asked.effect})"]
    lines += _held(policy, found, asked) if holds else _lacking(policy, found, asked)
    return "\n".join(lines) + "\n"


def _held(policy: Policy, role: Role, permission: Permission) -> Iterator[str]:
    for link in chain(policy, role.key, permission.key):
        says = "includes" if link.word in policy.roles else "grants"
        yield f"  {as_given(link.word.spot)}  {link.role} {says} {link.word}"
    if permission.key in role.guards:
        yield f"  only when {guard_words(role.guards[permission.key])}"
    for holder in holders(policy, role.key):
        kind = policy.agents[holder.kind] if holder.kind else None
        if kind is None:
            yield f"  {holder.held_by}: yes"
        elif permission.key not in kind.ceiling:
            yield f"  {a(kind.title)}: no, {ceiling_words(policy, kind, permission, as_given)}"
        elif policy.waits(kind, permission.key):
            yield f"  {a(kind.title)}: yes, while an agreement is in force"
        else:
            yield f"  {a(kind.title)}: yes"


def _lacking(policy: Policy, role: Role, permission: Permission) -> Iterator[str]:
    for holder in holders(policy, role.key):
        seat = Seat(holder.held_by, frozenset({role.key}), agent_kind=holder.kind, agreement_in_force=True)
        lacks = Decision(False, Reason.ROLE_LACKS_PERMISSION, permission.key, policy.digest, seat, None)
        roles = would_be_allowed_by(policy, lacks)
        name = a(policy.agents[holder.kind].title) if holder.kind else holder.held_by
        if roles:
            able = granters(policy, roles[0], holder.held_by)
            yield f"  {name}: the smallest role that does is {roles[0].key}, which {able} can grant"
        else:
            kind = policy.agents[holder.kind] if holder.kind else None
            never = ceiling_words(policy, kind, permission, as_given) if kind else ""
            yield f"  {name}: {never or 'no role that can be granted gives it'}"
