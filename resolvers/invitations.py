"""Mutations about invitations, and the fields that lead to them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import strawberry

from authz.actor import Access
from models.connection import Row
from operations import acceptance, invitation, member, staff
from resolvers import answers, objects, places
from resolvers.answers import known, repeatable
from resolvers.context import Context, context_of
from resolvers.edges import edge, to_one
from resolvers.guard import requires
from resolvers.invited import COLUMNS
from resolvers.invited import invitation as shown
from resolvers.lists import Condition, Listing, Selection
from resolvers.paging import Cut
from resolvers.relations import role_named
from schema.agent import Agent
from schema.inputs import AddStaffInput, InviteMemberInput
from schema.invitation import (
    AcceptInvitationInput,
    AcceptInvitationResult,
    AcceptInvitationSuccess,
    AddStaffResult,
    CancelInvitationInput,
    CancelInvitationResult,
    CancelInvitationSuccess,
    Invitation,
    InvitationCard,
    InvitationSuccess,
    InviteMemberResult,
    PreviewInvitationInput,
    PreviewInvitationResult,
    PreviewInvitationSuccess,
)
from schema.person import User
from schema.policy import Role
from schema.practice import Practice

OF_PRACTICE = Listing("practice_invitations", COLUMNS, "invitations i", "i.id", "i.practice_id")
OF_AGENT = replace(OF_PRACTICE, name="agent_invitations", parent="i.agent_id")
MOST = 100  # the newest ones; `open_invitations_per_place` bounds the open ones


def _user(context: Context, row: Row) -> User:
    return objects.user(row)


to_one(Invitation, "invited_by", "user", "invited_by_id", _user)


@edge(Invitation, "roles")
def roles_of_invitation(context: Context, invitation: Invitation) -> list[Role]:
    return [role_named(context, key) for key in invitation.row["roles"]]


@edge(Practice, "invitations")
async def invitations_of_practice(context: Context, practice: Practice) -> list[Invitation]:
    return await _open(context, OF_PRACTICE, UUID(practice.id))


@edge(Agent, "invitations")
async def invitations_of_agent(context: Context, agent: Agent) -> list[Invitation]:
    return await _open(context, OF_AGENT, UUID(agent.id))


async def _open(context: Context, listing: Listing, parent: UUID) -> list[Invitation]:
    usable = Condition("i.accepted_at IS NULL AND i.cancelled_at IS NULL AND i.expires_at > %s", (context.now,))
    newest = Cut(MOST, backwards=True, after=None, before=None)
    found = await context.lists.page(Selection(listing, parent, (usable,)), newest)
    return [shown(row, context.now) for row in reversed(found.rows)]


@strawberry.type
class InvitationMutation:
    @strawberry.mutation(
        description="Invite a person to the practice's own staff. They come in by accepting under their own login.",
        extensions=requires("staff.add", places.practice),
    )
    async def add_staff(self, info: strawberry.Info, access: Access, input: AddStaffInput) -> AddStaffResult:
        return await _answer(info, await staff.add_staff(access, input, repeatable(info, access, input)))

    @strawberry.mutation(
        description="Invite a person into your agent. They come in by accepting under their own login.",
        extensions=requires("members.invite", places.agent),
    )
    async def invite_member(
        self, info: strawberry.Info, access: Access, input: InviteMemberInput
    ) -> InviteMemberResult:
        request = repeatable(info, access, input)
        return await _answer(info, await member.invite_member(access, known(input.agent_id), input, request))

    @strawberry.mutation(
        description="Take an open invitation back. One that is cancelled or expired already stays as it is.",
        extensions=requires("invitations.cancel", places.invitation),
    )
    async def cancel_invitation(
        self, info: strawberry.Info, access: Access, input: CancelInvitationInput
    ) -> CancelInvitationResult:
        request = repeatable(info, access, input)
        key = await invitation.cancel_invitation(access, known(input.invitation_id), request)
        return CancelInvitationSuccess(invitation=await _shown(info, key))

    @strawberry.mutation(
        description="See who invites you to what, before you accept. Nothing changes.",
        extensions=requires("account.invitations.accept"),
    )
    async def preview_invitation(
        self, info: strawberry.Info, access: Access, input: PreviewInvitationInput
    ) -> PreviewInvitationResult:
        found = await acceptance.preview_invitation(access, input.code)
        card = InvitationCard(
            invited_by=found.invited_by,
            practice_name=found.practice,
            agent_name=found.agent,
            roles=[role_named(context_of(info), key) for key in found.roles],
            admin=found.admin,
            expires_at=found.expires_at,
        )
        return PreviewInvitationSuccess(card=card)

    @strawberry.mutation(
        description="Join the practice's staff or the agent that invites you, as the person who is signed in.",
        extensions=requires("account.invitations.accept"),
    )
    async def accept_invitation(
        self, info: strawberry.Info, access: Access, input: AcceptInvitationInput
    ) -> AcceptInvitationResult:
        accepted = await acceptance.accept_invitation(access, input.code, repeatable(info, access, input))
        context = context_of(info)
        await context.refresh()
        return AcceptInvitationSuccess(
            staff=await answers.staff(context, accepted.staff_id) if accepted.staff_id else None,
            member=await answers.member(context, accepted.member_id) if accepted.member_id else None,
        )


async def _answer(info: strawberry.Info, made: invitation.Invited) -> InvitationSuccess:
    return InvitationSuccess(invitation=await _shown(info, made.invitation_id), code=made.code)


async def _shown(info: strawberry.Info, key: UUID) -> Invitation:
    context = context_of(info)
    return shown(await context.the("invitation", key), context.now)
