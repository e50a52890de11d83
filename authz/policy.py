"""The policy in force, as one frozen value: everything a decision reads, and nothing that can change under it.

`authz/load.py` is the only maker. A request takes the policy once and keeps it, so a reload in the middle of
a request cannot mix two sets.

`source` fields say where in the files something stands, for `authz/explain.py`. They are no part of the meaning:
neither of the digest nor of equality.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from authz.diagnostic import Word
from authz.standings import Standings

HELD_BY = ("staff", "agent", "member", "user", "platform")
EFFECTS = ("read", "write", "destructive", "admin")
# What `limits` in policy.yaml may bound: how many holders a change touches (`authz/plan.py` counts them).
LIMITS = ("lose", "gain", "gain_destructive", "gain_admin", "nobody_left")
LONGEST_NAME = 80  # a longer name is nobody's typing mistake, and difflib is quadratic

AgreementRequirement = Literal["required", "recommended", "not_needed"]
Enforced = Literal["at_load", "at_grant"]
PropertyValue = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Permission:
    """`rank` is the place of `sensitivity` in the set's own order; `properties` name → number, text or boolean."""

    key: str
    title: str
    area: str
    sensitivity: str
    rank: int
    effect: str
    needs: tuple[str, ...]
    properties: Mapping[str, str]
    wildcard: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a guard. `value` is a tuple for `in` and `not_in`."""

    name: str
    type: str
    operator: str
    value: PropertyValue | tuple[PropertyValue, ...]


# All clauses of a guard must hold; of one clause, any condition. A permission has several guards
# when a role inherits it in several ways: one of them is enough.
Clause = tuple[Condition, ...]
Guard = tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """`permissions` is the full mask, inherited ones included; `guards` covers those held under a condition only."""

    key: str
    title: str
    hint: str
    held_by: frozenset[str]
    granted_by: frozenset[str]
    sensitive: bool
    root: bool
    includes: tuple[str, ...]
    sensitivity_max: str
    permissions: frozenset[str]
    guards: Mapping[str, tuple[Guard, ...]]
    review_days: int | None
    # Permission → the word of this role's file that brings it in: itself, a wildcard or an included role.
    source: Mapping[str, Word] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class AgentKind:
    """A kind of outsider. `ceiling` is what it may ever have, whatever its roles; `roles` those it may be given."""

    key: str
    title: str
    agreement: AgreementRequirement
    agreement_required_from: str | None
    sensitivity_max: str
    ceiling: frozenset[str]
    roles: tuple[str, ...]
    source: Word | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Redirect:
    """Practices of `practice_kind` that try to connect an agent of `agent_kind` belong elsewhere."""

    practice_kind: str
    agent_kind: str
    to: str
    override: str


@dataclass(frozen=True, slots=True)
class Separation:
    """Of these permissions, one holder has `at_most` so many. See `authz/prove.py` for what `enforced` says."""

    id: str
    permissions: tuple[str, ...]
    at_most: int
    because: str
    enforced: Enforced = "at_load"


@dataclass(frozen=True, slots=True)
class Promise:
    """What holders of this kind never have."""

    held_by: str
    permissions: frozenset[str]
    because: str
    source: tuple[Word, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Task:
    """What people say they need somebody for, and the least role that does it."""

    key: str
    says: tuple[str, ...]
    needs: tuple[str, ...]
    recommend: str


@dataclass(frozen=True, slots=True)
class Tokens:
    ttl_minutes: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Engagements:
    default_days: int
    max_days: int
    notice_days: tuple[int, ...]
    grace_days: int


@dataclass(frozen=True, slots=True)
class Reviews:
    default_days: int
    overdue_days: int


@dataclass(frozen=True, slots=True)
class Training:
    months: int


@dataclass(frozen=True, slots=True)
class SignIn:
    """`second_factor` is one of SECOND_FACTOR: whose sign-in needs one."""

    second_factor: str = "optional"


SECOND_FACTOR = ("optional", "sensitive_roles")


@dataclass(frozen=True, slots=True)
class Class:
    """What every seat of one (held_by, agent kind, roles, agreement) may do: `by` names the role that gives it.

    `guarded` holds what is left to a guard; the two never overlap.
    """

    by: Mapping[str, str]
    permissions: frozenset[str]
    guarded: frozenset[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """One activated set. `digest` is its meaning, `source_digest` its bytes; the first is the identity.

    `classes` is a memory of `authz/seat_class.py`, `waiting` one of `agreement_needed`, `standings` one of
    `authz/outline.py`; they are no part of the value.
    """

    name: str
    version: str
    digest: str
    source_digest: str
    sensitivities: tuple[str, ...]
    permissions: Mapping[str, Permission]
    roles: Mapping[str, Role]
    agents: Mapping[str, AgentKind]
    redirects: tuple[Redirect, ...]
    promises: tuple[Promise, ...]
    separations: tuple[Separation, ...]
    tasks: Mapping[str, Task]
    tokens: Tokens
    engagements: Engagements
    reviews: Reviews
    training: Training
    limits: Mapping[str, int] = field(default_factory=dict)
    sign_in: SignIn = field(default_factory=SignIn)
    classes: dict[tuple[str, str | None, frozenset[str], bool], Class] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    waiting: dict[tuple[str, str], bool] = field(default_factory=dict, init=False, repr=False, compare=False)
    standings: Standings = field(default_factory=Standings, init=False, repr=False, compare=False)

    def needs_second_factor(self, role: Role) -> bool:
        """Does this role give nothing to whoever signed in without one?"""
        return role.sensitive and self.sign_in.second_factor == "sensitive_roles"

    def proven(self, roles: Collection[str]) -> frozenset[str]:
        """The roles that give something without a second factor, too."""
        return frozenset(key for key in roles if key not in self.roles or not self.needs_second_factor(self.roles[key]))

    def roles_holding(self, permission: str, held_by: str | None = None) -> tuple[Role, ...]:
        """The roles that give a permission, the smallest first; for agents only where a ceiling lets it through."""
        holding = [role for role in self.roles.values() if permission in role.permissions]
        if held_by is not None:
            holding = [role for role in holding if held_by in role.held_by]
        if held_by == "agent":
            holding = [role for role in holding if self._reaches_an_agent(role.key, permission)]
        return tuple(sorted(holding, key=lambda role: (len(role.permissions), role.key)))

    def _reaches_an_agent(self, role: str, permission: str) -> bool:
        return any(role in kind.roles and permission in kind.ceiling for kind in self.agents.values())

    def nearest_role(self, name: str) -> tuple[str, ...]:
        """Up to three roles whose keys look like `name`, the nearest first."""
        if len(name) > LONGEST_NAME:
            return ()
        return tuple(difflib.get_close_matches(name.strip().lower().replace(" ", "_"), self.roles, n=3))

    def agreement_needed(self, agent_kind: str, roles: Collection[str]) -> bool:
        """Does an agent of this kind with these roles wait for an agreement? A kind the set lost always does."""
        kind = self.agents.get(agent_kind)
        if kind is None or kind.agreement == "required":
            return True
        return any(self._needed_for(kind, role) for role in roles if role in self.roles and role in kind.roles)

    def _needed_for(self, kind: AgentKind, role: str) -> bool:
        """Asked of every engagement on every page, and always the same for a kind and a role."""
        found = self.waiting.get((kind.key, role))
        if found is None:
            reached = self.waits_for_agreement(kind) & kind.ceiling & self.roles[role].permissions
            found = self.waiting[kind.key, role] = bool(reached)
        return found

    def review_days(self, roles: Collection[str]) -> int:
        """How often access with these roles is reviewed: as often as the strictest of them asks."""
        asked = [self.roles[key].review_days for key in roles if key in self.roles]
        usual = self.reviews.default_days
        return min([usual if days is None else days for days in asked], default=usual)

    def waits_for_agreement(self, kind: AgentKind) -> frozenset[str]:
        """The permissions that this kind has only while an agreement is in force."""
        return frozenset(key for key in self.permissions if self.waits(kind, key))

    def waits(self, kind: AgentKind, permission: str) -> bool:
        """Does this kind have the permission only while an agreement is in force?"""
        if kind.agreement == "required" or kind.agreement_required_from is None:
            return kind.agreement == "required"
        return self.permissions[permission].rank >= self.sensitivities.index(kind.agreement_required_from)

    def grantable_by(self, granter_roles: Collection[str], held_by: str) -> frozenset[str]:
        """The roles that a holder of `granter_roles` may give to a holder of this kind."""
        granters = frozenset(granter_roles)
        return frozenset(
            role.key for role in self.roles.values() if held_by in role.held_by and granters & role.granted_by
        )

    def separations_broken(self, roles: Collection[str]) -> tuple[Separation, ...]:
        """The separations that one holder of all these roles would break; none once a root role is among them."""
        known = [self.roles[key] for key in roles if key in self.roles]
        if any(role.root for role in known):
            return ()
        held = frozenset().union(*(role.permissions for role in known))
        return tuple(rule for rule in self.separations if len(held.intersection(rule.permissions)) > rule.at_most)
