"""A plan as people read it: the largest groups first, losses before gains, the verdict last."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from authz.class_changes import Change, Live
from authz.plan import Plan
from authz.policy import Policy
from operations.policy_planning import OUTCOMES, Planned

NOUNS = {
    "agent": ("engagement", "engagements"),
    "staff": ("person on staff", "people on staff"),
    "member": ("agent's member", "agents' members"),
    "user": ("user", "users"),
    "platform": ("operator", "operators"),
}


def render(planned: Planned, since: datetime | None) -> str:
    return "\n".join(_lines(planned, since))


def _lines(planned: Planned, since: datetime | None) -> Iterator[str]:
    plan = planned.plan
    yield f"in force  {_identity(plan.old)}{f'  since {since:%Y-%m-%d %H:%M} UTC' if since else ''}"
    yield f"planned   {_identity(plan.new)}"
    for change in plan.changes:
        yield ""
        yield from _change(change, plan, planned.examples.get(change.live, ()))
    yield from _findings(plan)
    yield ""
    for limit in plan.limits:
        yield f"limit {limit.name}: {limit.found:,} of {limit.most:,}{', exceeded' if limit.exceeded else ''}"
    yield OUTCOMES[plan.verdict] + "".join(f"\n  because {reason}" for reason in plan.reasons)


def _identity(policy: Policy | None) -> str:
    return f"{policy.digest}  {policy.name} {policy.version}" if policy else "no policy yet"


def _change(change: Change, plan: Plan, examples: tuple[str, ...]) -> Iterator[str]:
    live = change.live
    yield f"{_class(live)}: {_count(live.holders, live.held_by)}{_used(change)}"
    for key in change.loses:
        yield f"  - {key}{_because(plan, live, key)}"
    for key in change.narrowed:
        yield f"  - {key} in some cases: under other conditions"
    for key in change.gains:
        yield f"  + {key} ({plan.new.permissions[key].effect})"
    for key in change.widened:
        yield f"  + {key} in more cases: under other conditions"
    if examples:
        yield f"  for example {'; '.join(examples)}"


def _class(live: Live) -> str:
    who = live.agent_kind or live.held_by
    roles = " + ".join(sorted(live.roles)) or "no role"
    agreement = f", agreement {'in force' if live.agreement_in_force else 'not in force'}"
    return f"{who} with {roles}{agreement if live.held_by == 'agent' else ''}"


def _count(holders: int, held_by: str) -> str:
    one, many = NOUNS[held_by]
    return f"{holders:,} {one if holders == 1 else many}"


def _used(change: Change) -> str:
    """Uses are kept by engagement, not by permission: this is the most that can be said of a lost one."""
    if not change.takes or change.live.used is None:
        return ""
    return f", {change.live.used:,} of them used in the last 30 days"


def _because(plan: Plan, live: Live, permission: str) -> str:
    promises = (p for p in plan.new.promises if p.held_by == live.held_by and permission in p.permissions)
    return "".join(f" ({promise.because})" for promise in promises)


def _findings(plan: Plan) -> Iterator[str]:
    if plan.idle:
        yield "\nroles that will give nothing"
    for idle in plan.idle:
        why = "the role vanishes" if idle.vanishes else "such holders may not have it any more"
        yield f"  {idle.role}, {idle.agent_kind or idle.held_by}: {_count(idle.holders, idle.held_by)}; {why}"
    if plan.broken:
        yield "\npromises that live grants do not keep"
    for broken in plan.broken:
        outcome = "they lose it" if broken.enforced_by_losing else "it stays broken until somebody changes their roles"
        what = f"{broken.rule}, {broken.holders:,} holders of {', '.join(broken.permissions)}"
        yield f"  {what}: {broken.because} ({outcome})"
    if plan.nobody_left:
        yield "\npractices where nobody is left"
    for nobody in plan.nobody_left:
        yield f"  {nobody.permission}: {nobody.practices:,}, for example {'; '.join(nobody.names)}"
