"""A set as it was written: every name still knows where it stands, and nothing has been looked up yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

from authz.diagnostic import Spot, Word
from authz.policy import AgreementRequirement, Enforced, Engagements, PropertyValue, Reviews, SignIn, Tokens, Training
from authz.yaml_subset import Node


@dataclass(frozen=True, slots=True)
class PolicyDraft:
    name: str
    version: str
    sensitivities: tuple[str, ...]
    tokens: Tokens
    engagements: Engagements
    reviews: Reviews
    training: Training
    limits: Mapping[str, int] = field(default_factory=dict)
    sign_in: SignIn = field(default_factory=SignIn)


@dataclass(frozen=True, slots=True)
class PermissionDraft:
    key: Word
    title: str
    area: str
    sensitivity: Word
    effect: str
    needs: tuple[Word, ...]
    properties: Mapping[str, str]
    wildcard: bool


@dataclass(frozen=True, slots=True)
class ConditionDraft:
    """`value` stays a node until the type of the property is known."""

    name: Word
    operator: str
    value: Node


@dataclass(frozen=True, slots=True)
class GuardDraft:
    permission: Word
    clauses: tuple[tuple[ConditionDraft, ...], ...]


@dataclass(frozen=True, slots=True)
class Dates:
    """The days of a subject that its tests look at with `at`: of its agreement, and the end of its engagement."""

    effective_on: date | None = None
    expires_on: date | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SubjectDraft:
    """Who a test is about. `everywhere`: an agent of each kind that may be given the role, agreement in force."""

    held_by: str
    roles: tuple[Word, ...]
    kind: Word | None = None
    agreement_in_force: bool = False
    active: bool = True
    assigned: bool = True
    cap: tuple[Word, ...] | None = None
    scopes: tuple[Word, ...] | None = None
    everywhere: bool = False
    dates: Dates | None = None
    second_factor: bool = True


@dataclass(frozen=True, slots=True)
class TestDraft:
    """`subject` is a name in `tests/*.yaml`, and the role's own holder beside a role."""

    name: Word
    subject: Word | SubjectDraft
    allow: tuple[Word, ...]
    deny: tuple[Word, ...]
    exactly: tuple[Word, ...] | None
    exactly_spot: Spot
    because: str | None
    properties: Mapping[str, PropertyValue]
    at: datetime | None = None
    breaks: tuple[Word, ...] | None = None


@dataclass(frozen=True, slots=True)
class RoleDraft:
    key: str
    spot: Spot
    title: str
    hint: str
    held_by: tuple[Word, ...]
    granted_by: tuple[Word, ...]
    sensitive: bool
    root: bool
    sensitivity_max: Word
    includes: tuple[Word, ...]
    without: tuple[Word, ...]
    grants: tuple[Word, ...]
    guards: tuple[GuardDraft, ...]
    review_days: int | None


@dataclass(frozen=True, slots=True)
class KindDraft:
    key: Word
    title: str
    agreement: AgreementRequirement
    agreement_required_from: Word | None
    sensitivity_max: Word
    roles: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class RedirectDraft:
    practice_kind: str
    agent_kind: Word
    to: str
    override: str


@dataclass(frozen=True, slots=True)
class PromiseDraft:
    held_by: str
    permissions: tuple[Word, ...]
    because: str


@dataclass(frozen=True, slots=True)
class SeparationDraft:
    id: Word
    permissions: tuple[Word, ...]
    at_most: int
    because: str
    enforced: Enforced = "at_load"


@dataclass(frozen=True, slots=True)
class TaskDraft:
    key: Word
    says: tuple[str, ...]
    needs: tuple[Word, ...]
    recommend: Word


@dataclass(slots=True)
class SetDraft:
    """Everything the files declare. `lost` are the kinds of the files that could not be read, `broken` the roles that
    could be read only in part: what depends on either is not judged, so that one mistake is one message."""

    policies: list[tuple[Spot, PolicyDraft | None]] = field(default_factory=list)
    permissions: dict[str, PermissionDraft] = field(default_factory=dict)
    roles: dict[str, RoleDraft] = field(default_factory=dict)
    kinds: dict[str, KindDraft] = field(default_factory=dict)
    redirects: list[RedirectDraft] = field(default_factory=list)
    promises: list[PromiseDraft] = field(default_factory=list)
    separations: dict[str, SeparationDraft] = field(default_factory=dict)
    no_escalation: bool = False
    tasks: dict[str, TaskDraft] = field(default_factory=dict)
    subjects: dict[str, SubjectDraft] = field(default_factory=dict)
    tests: list[TestDraft] = field(default_factory=list)
    declared: dict[tuple[str, str], Spot] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    doubtful: set[str] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
