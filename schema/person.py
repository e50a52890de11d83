"""People: who somebody is, where they are staff, and what the signed-in one can do."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import field

from schema.edges import connection, edge, follow
from schema.kinds import FactorKind
from schema.node import Node
from schema.page import CURSOR, EDGES, NODES, Page
from schema.policy import Role

if TYPE_CHECKING:
    from schema.agent import AgentMemberConnection
    from schema.practice import Practice


@strawberry.type(description="One human with one login, who may belong to any number of practices and agents.")
class User(Node):
    name: str = field(description="The person's name as others see it.")
    email: str = field(description="The address the person signs in with, in lower case.")


@strawberry.type(description="A sign-in of yours in one browser.")
class Session:
    id: strawberry.ID = field(
        description="Names the session in audit events and for `endSession`. It is not the cookie's content."
    )
    current: bool = field(description="Whether this request was made with it.")
    browser: str | None = field(description="What the browser called itself at the sign-in (its User-Agent header).")
    address: str | None = field(
        description="The network address of the sign-in; of an IPv6 address the first half, as 2001:db8::/64."
    )
    last_seen_at: datetime = field(description="When it was last used, to the minute.")
    started_at: datetime = field(description="When the person signed in.")
    expires_at: datetime = field(
        description="When it ends at the latest, whatever the person does. It ends earlier after a while without use."
    )
    reauthenticated_at: datetime = field(
        description="When the password was last entered. `StepUpRequired.maxAgeSeconds` is measured against it."
    )
    second_factor: bool = field(description="Whether a second factor was given at the sign-in.")


@strawberry.type(description="HIPAA training of one person of the staff.")
class Training:
    last_completed_on: date | None = field(description="The day it was last completed; null if never recorded.")
    due_on: date = field(description="The day by which it is due next.")
    overdue: bool = field(description="Whether that day has passed.")


@strawberry.type(description="A person who works in a practice as its own staff, with the roles held there.")
class StaffMember(Node):
    active: bool = field(description="False once the person was removed: no access to the practice any more.")
    training: Training = field(description="When this person's HIPAA training was done and is due.")
    practice: Annotated[Practice, strawberry.lazy("schema.practice")] = edge("The practice this membership is in.")
    user: User = edge("The person.")
    roles: list[Role] = edge("The staff roles the person holds in this practice. `setStaffRoles` replaces them.")


@strawberry.type(description="One person of the staff on a page.")
class StaffMemberEdge:
    cursor: str = field(description=CURSOR)
    node: StaffMember = field(description="The person of the staff.")


@strawberry.type(description="One page of staff.")
class StaffMemberConnection(Page):
    edges: list[StaffMemberEdge] = edge(EDGES)
    nodes: list[StaffMember] = edge(NODES)


PracticeId = Annotated[
    strawberry.ID,
    strawberry.argument(description="The practice. For one that you have nothing to do with the answer is empty."),
]


async def _permissions(root: Any, info: strawberry.Info, practice_id: PracticeId) -> Any:
    return await follow(root, info, practice_id=practice_id)


@strawberry.type(description="What you prove yourself with besides the password.")
class Factor:
    id: strawberry.ID = field(description="Names the factor, for `removeFactor`.")
    kind: FactorKind = field(description="An authenticator app or a passkey.")
    label: str = field(description="What you called it when you added it.")
    added_at: datetime = field(description="When you began to add it.")
    last_used_at: datetime | None = field(description="When it was last used; null if never.")


@strawberry.type(description="You: the signed-in person, and where you belong.")
class Viewer:
    # Who is meant: after a sign-in not yet the one the request came with.
    actor: strawberry.Private[Any]
    user: User | None = edge("You as others see you; null when nobody is signed in.")
    session: Session | None = edge("The session of this request; null when it was made without one.")
    sessions: list[Session] = edge(
        "Your live sessions in all browsers, the latest first and at most 100. `endSession` ends one."
    )
    staff_of: StaffMemberConnection = connection("The practices in which you are staff: what a start page lists.")
    member_of: Annotated[AgentMemberConnection, strawberry.lazy("schema.agent")] = connection(
        "The agents you work for: what a start page lists."
    )
    permissions: list[strawberry.ID] = edge(
        "The keys of the permissions you hold in this practice, in alphabetical order: what a frontend shows or hides.",
        resolver=_permissions,
    )
    factors: list[Factor] = edge("Your second factors that count, the oldest first. Nobody else sees them.")
    second_factor_required: bool = edge(
        "True when some of your roles give nothing now, because the policy asks for a second factor and this session "
        "was begun without one. Let the person add one, then `reauthenticate` with it."
    )
    recovery_codes_left: int = edge("How many of your recovery codes are not used yet. Warn when few are left.")
