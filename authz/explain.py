"""Why somebody may or may not: the questions of `authz/decide.py` in its order, each answered in plain words.

For what is allowed, the chain from the grant over the role and what it includes to the line of the file that says
so. For what is denied, the one thing that is missing, and where a role is missing, the smallest that somebody can
grant and who that is. Nothing is decided here: the answers are those that the decision was made of.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from authz.decide import NOTHING, Answer, Decision, Reason, Seat, answers, decide
from authz.diagnostic import LONGEST_NAME, Word, shown
from authz.plain_words import Where, a, ceiling_words, either, granters, guard_words, inside
from authz.policy import Permission, Policy, Role

CHECKS = {
    Reason.UNKNOWN_PERMISSION: "the policy has this permission",
    Reason.NO_ENGAGEMENT: "something connects them with this place",
    Reason.NOT_ACTIVE: "everything is active now",
    Reason.ROLE_LACKS_PERMISSION: "a role gives it",
    Reason.ABOVE_CEILING: "it is within the ceiling",
    Reason.AGREEMENT_MISSING: "no agreement is missing",
    Reason.MEMBER_NOT_ASSIGNED: "the assignment covers it",
    Reason.OUTSIDE_SCOPE: "the API key covers it",
    Reason.SECOND_FACTOR_MISSING: "the sign-in was strong enough",
    Reason.GUARD: "its conditions hold",
}
A_ROLE_WOULD_HELP = (Reason.ROLE_LACKS_PERMISSION, Reason.ABOVE_CEILING, Reason.GUARD)


@dataclass(frozen=True, slots=True)
class Background:
    """What is known about a seat beyond what decisions read. `granted`: role → by whom and when."""

    inactive: str = "the engagement, the agent, the member or the practice is not active now"
    agreement: str = ""
    roles: str = ""
    granted: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    check: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """`would_be_allowed_by`: roles that somebody can grant and that give what is missing, the smallest first."""

    decision: Decision
    steps: tuple[Step, ...]
    would_be_allowed_by: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """One step from a role to what it holds: the word of the role's file that brings it in."""

    role: str
    word: Word


def chain(policy: Policy, role: str, permission: str) -> tuple[Link, ...]:
    """From the role over what it includes to the grant; empty where the role does not hold the permission."""
    links: list[Link] = []
    found = policy.roles.get(role)
    while found is not None and permission in found.source:
        word = found.source[permission]
        links.append(Link(found.key, word))
        found = policy.roles.get(word) if word in found.includes else None
    return tuple(links)


def explain(
    policy: Policy,
    seats: Sequence[Seat],
    permission: str,
    properties: Mapping[str, object] = NOTHING,
    background: Mapping[Seat, Background] | None = None,
    where: Where | None = None,
) -> Explanation:
    """The decision with its steps, about the seat that allowed or got furthest. `where` prints a place in a file."""
    decision = decide(policy, seats, permission, properties)
    known = policy.permissions.get(permission)
    if known is None:
        return Explanation(decision, (_unknown(policy, permission),))
    title = f"{known.title} ({known.area}, {known.sensitivity}, {known.effect})"
    steps = [Step(CHECKS[Reason.UNKNOWN_PERMISSION], True, title)]
    seat = decision.seat
    if seat is None:
        steps.append(Step(CHECKS[Reason.NO_ENGAGEMENT], False, "no staff membership and no engagement"))
        return Explanation(decision, tuple(steps))
    known_about = (background or {}).get(seat, Background())
    told = _Telling(policy, seat, known, properties, known_about, where or inside(policy))
    steps.append(Step(CHECKS[Reason.NO_ENGAGEMENT], True, told.standing()))
    roles: tuple[Role, ...] = ()
    for answer in answers(policy, seat, permission, properties):
        steps.append(Step(CHECKS[answer.question], answer.passed, told.detail(answer, roles)))
        roles = answer.roles
        if not answer.passed:
            break
    return Explanation(decision, tuple(steps), would_be_allowed_by(policy, decision, properties))


def would_be_allowed_by(
    policy: Policy, decision: Decision, properties: Mapping[str, object] = NOTHING
) -> tuple[Role, ...]:
    """The roles that give what a denial lacks, as far as a role is what it lacks."""
    seat = decision.seat
    if seat is None or decision.reason not in A_ROLE_WOULD_HELP:
        return ()
    return tuple(
        role
        for role in policy.roles_holding(decision.permission, seat.held_by)
        if role.granted_by and role.key not in seat.roles and _gets_further(policy, decision, seat, role, properties)
    )


def _gets_further(policy: Policy, decision: Decision, seat: Seat, role: Role, properties: Mapping[str, object]) -> bool:
    """The seat with this role alone: does it come past the questions that are about roles?"""
    alone = replace(seat, roles=frozenset({role.key}), cap=None)
    reason = decide(policy, (alone,), decision.permission, properties).reason
    return reason is Reason.ALLOWED or reason not in A_ROLE_WOULD_HELP


def _unknown(policy: Policy, permission: str) -> Step:
    near = difflib.get_close_matches(permission, policy.permissions, n=1) if len(permission) <= LONGEST_NAME else []
    hint = f"; did you mean {near[0]}?" if near else ""
    return Step(CHECKS[Reason.UNKNOWN_PERMISSION], False, f"the policy has no permission {shown(permission)}{hint}")


@dataclass(frozen=True, slots=True)
class _Telling:
    """The words for one seat and one permission."""

    policy: Policy
    seat: Seat
    permission: Permission
    properties: Mapping[str, object]
    background: Background
    where: Where

    def standing(self) -> str:
        kind = self.policy.agents.get(self.seat.agent_kind or "")
        if self.seat.held_by == "agent":
            return f"an engagement as {a(kind.title if kind else self.seat.agent_kind or 'agent')}"
        standing = {"staff": "a staff membership", "member": "a membership of the agent"}
        return standing.get(self.seat.held_by, f"a seat as {self.seat.held_by}")

    def detail(self, answer: Answer, before: Sequence[Role]) -> str:
        """`before`: the roles that were left when the question was asked."""
        question, passed = answer.question, answer.passed
        if question is Reason.NOT_ACTIVE:
            return "nothing is suspended, expired or ended" if passed else self.background.inactive
        if question is Reason.ROLE_LACKS_PERMISSION:
            return self._given(answer.roles[0]) if passed else self._lacking()
        if question is Reason.ABOVE_CEILING:
            return self._ceiling(passed, before)
        if question is Reason.AGREEMENT_MISSING:
            return self._agreement(passed)
        if question is Reason.MEMBER_NOT_ASSIGNED:
            return self._assignment(passed, before)
        if question is Reason.OUTSIDE_SCOPE:
            return self._scopes(passed)
        if question is Reason.SECOND_FACTOR_MISSING:
            return self._second_factor(answer.roles, before)
        return self._guard(answer.roles[0] if passed else before[0], passed)

    def _given(self, role: Role) -> str:
        """The chain: grant → role → include path → file:line."""
        granted = self.background.granted.get(role.key)
        path = " → ".join(
            f"{link.role} ({self.where(link.word.spot)}{'' if link.word == self.permission.key else f' {link.word}'})"
            for link in chain(self.policy, role.key, self.permission.key)
        )
        return f"{granted} → {path}" if granted else path or role.key

    def _lacking(self) -> str:
        held = ", ".join(sorted(self.seat.roles))
        lacking = f"{held} does not give it" if held else "no role is turned on"
        return f"{lacking}{self._and(self.background.roles)}; {self._remedy()}"

    def _remedy(self) -> str:
        decision = Decision(False, Reason.ROLE_LACKS_PERMISSION, self.permission.key, "", self.seat, None)
        roles = would_be_allowed_by(self.policy, decision, self.properties)
        if not roles:
            kind = self.policy.agents.get(self.seat.agent_kind or "")
            never = ceiling_words(self.policy, kind, self.permission, self.where) if kind else ""
            return never or "no role that can be granted here gives it"
        able = granters(self.policy, roles[0], self.seat.held_by)
        return f"the smallest role that does is {roles[0].key}, which {able} can grant"

    def _ceiling(self, passed: bool, before: Sequence[Role]) -> str:
        kind = self.policy.agents.get(self.seat.agent_kind or "")
        if self.seat.held_by != "agent":
            return "only outsiders have one"
        if kind is None:
            return "the policy has no such kind of agent"
        if passed:
            return f"{a(kind.title)} can have it"
        above = ceiling_words(self.policy, kind, self.permission, self.where)
        return above or f"{a(kind.title)} is not given {either([role.key for role in before])}; {self._remedy()}"

    def _agreement(self, passed: bool) -> str:
        if self.seat.held_by != "agent":
            return "only outsiders need one"
        if passed:
            return "one is in force" if self.seat.agreement_in_force else "none is needed for this"
        return self.background.agreement or "a business associate agreement must be in force first"

    def _assignment(self, passed: bool, before: Sequence[Role]) -> str:
        if passed:
            return "for all roles" if self.seat.cap is None else f"for {either(sorted(self.seat.cap))}"
        if not self.seat.assigned:
            return "the member is not assigned to this engagement; the agent's administrator assigns it"
        return f"the assignment leaves out {either([role.key for role in before])}"

    def _scopes(self, passed: bool) -> str:
        if self.seat.scopes is None:
            return "no API key is used"
        return "the key carries it" if passed else "the key in use does not carry it"

    def _second_factor(self, left: Sequence[Role], before: Sequence[Role]) -> str:
        if not left:
            sensitive = either([role.key for role in before])
            return f"{sensitive} gives it only after a sign-in with a second factor; sign in with one"
        return (
            "none is needed for this" if not self.policy.needs_second_factor(left[0]) else "a second factor was given"
        )

    def _guard(self, role: Role, passed: bool) -> str:
        guards = role.guards.get(self.permission.key)
        if guards is None:
            return f"{role.key} gives it without any"
        names = {condition.name for guard in guards for clause in guard for condition in clause}
        given = ", ".join(f"{name} is {self.properties.get(name, 'not given')}" for name in sorted(names))
        return f"{role.key} gives it when {guard_words(guards)}{'' if passed else f', and {given}'}"

    def _and(self, further: str) -> str:
        return f", and {further}" if further else ""
