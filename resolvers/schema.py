"""The schema, put together. Importing it checks every guard against the shipped policy."""

from __future__ import annotations

import strawberry
from strawberry.schema.config import StrawberryConfig

from resolvers import audit, pages, relations  # noqa: F401  (they register the edges)
from resolvers.access import AccessMutation
from resolvers.agreements import AgreementMutation
from resolvers.api_keys import ApiKeyMutation
from resolvers.execution import Schema
from resolvers.factors import FactorMutation
from resolvers.identity import IdentityMutation
from resolvers.invitations import InvitationMutation
from resolvers.live import Subscription
from resolvers.organisations import OrganisationMutation
from resolvers.passkeys import PasskeyMutation
from resolvers.people import PeopleMutation
from resolvers.query import Query
from resolvers.reviews import ReviewMutation
from resolvers.sessions import SessionMutation
from resolvers.staffing import StaffMutation
from resolvers.suspensions import SuspensionMutation
from schema.agent import AgentMember, ConnectToken
from schema.api_key import ApiKey
from schema.audit import AuditEvent
from schema.handlers import HANDLERS
from schema.invitation import Invitation
from schema.person import StaffMember, User
from schema.review import Review
from schema.scalars import SCALARS


@strawberry.type(description="Everything that changes something. Each answers with a success or a typed refusal.")
class Mutation(
    IdentityMutation,
    SessionMutation,
    OrganisationMutation,
    StaffMutation,
    InvitationMutation,
    AccessMutation,
    ReviewMutation,
    PeopleMutation,
    SuspensionMutation,
    AgreementMutation,
    ApiKeyMutation,
    FactorMutation,
    PasskeyMutation,
):
    pass


schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[AgentMember, ApiKey, AuditEvent, ConnectToken, Invitation, Review, StaffMember, User],
    exception_handlers=HANDLERS,
    config=StrawberryConfig(scalar_map=SCALARS),
)
