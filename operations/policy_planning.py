"""A plan against the live database: the comparison of `authz/`, the counts of `policy_holders.py`, and a few names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from authz import plan as planning
from authz.class_changes import Change, Live, changes
from authz.plan import Plan
from authz.policy import Policy
from authz.practice_holders import lost_in_practices
from operations.policy_holders import Holders

FORMAT = "sparekey/plan-v1"
MOST_NAMED = 20  # classes, the largest first; all are listed, these with names
OUTCOMES = {
    planning.NOTHING_CHANGES: "nothing changes",
    planning.WITHIN_LIMITS: "changes within limits",
    planning.NEEDS_APPROVAL: "changes that need approval",
}


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, and for the largest classes that change a few of their holders by name."""

    plan: Plan
    examples: Mapping[Live, tuple[str, ...]]


async def make_plan(old: Policy | None, new: Policy, now: datetime) -> Planned:
    """What activating `new` would do now."""
    holders = Holders.of(old, new, now)
    found = {each.live: each for each in await holders.found()}
    changed = changes(old, new, found)
    nobody = await holders.nobody_left(lost_in_practices(old, new, tuple(found), changed))
    plan = Plan(
        old,
        new,
        changed,
        planning.broken(old, new, tuple(found), changed),
        planning.idle_roles(old, new, found),
        nobody,
        planning.limits_found(old, new, changed, nobody),
        planning.loosened(old, new),
    )
    named = [change.live for change in changed[:MOST_NAMED]]
    return Planned(plan, {live: await holders.examples(found[live]) for live in named})


def as_json(planned: Planned, now: datetime) -> dict[str, Any]:
    """What `plan.json` holds. `apply` reads back `base` and `set`; the rest is for people and for review tools."""
    plan = planned.plan
    return {
        "format": FORMAT,
        "at": now.isoformat(),
        "base": _identity(plan.old),
        "set": _identity(plan.new),
        "verdict": {"outcome": OUTCOMES[plan.verdict], "exit_code": plan.verdict, "reasons": plan.reasons},
        "limits": [{"name": found.name, "most": found.most, "found": found.found} for found in plan.limits],
        "changes": [_change(change, planned.examples.get(change.live, ())) for change in plan.changes],
        "broken_promises": [
            {"rule": b.rule, "permissions": b.permissions, "because": b.because, "holders": b.holders}
            for b in plan.broken
        ],
        "idle_roles": [
            {
                "role": i.role,
                "held_by": i.held_by,
                "agent_kind": i.agent_kind,
                "vanishes": i.vanishes,
                "holders": i.holders,
            }
            for i in plan.idle
        ],
        "nobody_left": [
            {"permission": n.permission, "practices": n.practices, "for_example": n.names} for n in plan.nobody_left
        ],
    }


def _identity(policy: Policy | None) -> dict[str, str] | None:
    if policy is None:
        return None
    found = {"name": policy.name, "version": policy.version, "digest": policy.digest}
    return {**found, "source_digest": policy.source_digest}


def _change(change: Change, examples: tuple[str, ...]) -> dict[str, Any]:
    live = change.live
    return {
        "held_by": live.held_by,
        "agent_kind": live.agent_kind,
        "roles": sorted(live.roles),
        "agreement_in_force": live.agreement_in_force if live.held_by == "agent" else None,
        "holders": live.holders,
        "used_in_30_days": live.used,
        "gains": change.gains,
        "loses": change.loses,
        "narrowed": change.narrowed,
        "widened": change.widened,
        "for_example": examples,
    }
