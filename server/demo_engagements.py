"""What the demo's agents do in its practices, so that a screen has something of everything to show.

ACME works at Elm Street under an agreement and would like another role. Dana works at Harbour without one, which its
owner waived. Clearwater has its roles at Northside and can do nothing: its signature is missing, and its people.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import strawberry

from authz.actor import Access, Place
from models import AgentMember, ConnectToken, User
from operations import agreement, agreement_end, assignment, connect, role_request, roles, token
from schema.agreement import RecordAgreementInput, SignAgreementInput, WaiveAgreementInput
from schema.inputs import ConnectAgentInput, IssueTokenInput, RoleInput, SetRolesInput
from schema.kinds import ComplianceBasis, Purpose
from schema.people import AssignMemberInput, RequestRolesInput
from server.demo_acting import ADMIN, OWNER, Stage, access, once

DOCUMENT = hashlib.sha256(b"Business associate agreement of Elm Street Therapy and ACME Billing").hexdigest()


@dataclass(frozen=True, slots=True)
class House:
    id: UUID
    owner: User


@dataclass(frozen=True, slots=True)
class Agency:
    """`members` are those beside its administrator."""

    id: UUID
    admin: User
    members: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two sides of an engagement, each acting for itself."""

    stage: Stage
    house: House
    agency: Agency
    admin_id: UUID
    place: Place

    @classmethod
    async def of(cls, stage: Stage, house: House, agency: Agency) -> Pair:
        admin = await AgentMember.get(agent_id=agency.id, user_id=agency.admin.id)
        return cls(stage, house, agency, admin.id, Place(frozenset({house.id}), agency.id, party_only=True))

    def practice(self, permission: str) -> Access:
        return access(self.stage, self.house.owner, permission, self.place, OWNER)

    def agent(self, permission: str) -> Access:
        return access(self.stage, self.agency.admin, permission, self.place, ADMIN, self.admin_id)


async def load_engagements(stage: Stage, houses: Sequence[House], agencies: Sequence[Agency]) -> None:
    """At the same time, because most of it is waiting for a slow hash or for the database."""
    elm, harbour, northside = houses
    acme, clearwater, desk = agencies
    await asyncio.gather(
        _under_an_agreement(await Pair.of(stage, elm, acme)),
        _on_a_waiver(await Pair.of(stage, harbour, desk)),
        _waiting(await Pair.of(stage, northside, clearwater)),
    )


async def _under_an_agreement(pair: Pair) -> None:
    key = await _connected(pair, Purpose.CONTRACTED_SERVICE, "biller", external_ref="client 17")
    here, now = strawberry.ID(str(key)), pair.stage.now
    asking = pair.practice("agreements.record")
    await agreement.request_agreement(asking, key, once(asking))
    signing = pair.agent("agreements.sign")
    signed = SignAgreementInput(engagement_id=here, document_ref="contract 17", document_sha256=DOCUMENT)
    await agreement.sign_agreement(signing, key, signed, once(signing))
    recorded = RecordAgreementInput(engagement_id=here, basis=ComplianceBasis.BAA, effective_on=now.date())
    await agreement.record_agreement(asking, key, recorded, once(asking))
    assigning = pair.agent("members.assign")
    for member_id in pair.agency.members:
        assigned = AssignMemberInput(engagement_id=here, member_id=strawberry.ID(str(member_id)))
        await assignment.assign_member(assigning, key, assigned, once(assigning))
    wishing = pair.agent("engagements.request_roles")
    wished = [strawberry.ID("biller"), strawberry.ID("manager")]
    wish = RequestRolesInput(engagement_id=here, roles=wished, reason="to keep the CPT codes up to date for you")
    await role_request.request_roles(wishing, key, wish, once(wishing))


async def _on_a_waiver(pair: Pair) -> None:
    key = await _connected(pair, Purpose.SHARED_FRONT_OFFICE, "scheduler")
    waiving = pair.practice("agreements.waive")
    reason = "works in our rooms and sees names and appointments only"
    typed = WaiveAgreementInput(engagement_id=strawberry.ID(str(key)), reason=reason)
    await agreement_end.waive_agreement(waiving, key, typed, once(waiving))


async def _waiting(pair: Pair) -> None:
    key = await _connected(pair, Purpose.CONTRACTED_SERVICE, "biller", "scheduler")
    asking = pair.practice("agreements.record")
    await agreement.request_agreement(asking, key, once(asking))


async def _connected(pair: Pair, purpose: Purpose, *granted: str, external_ref: str | None = None) -> UUID:
    """By a token, as everybody is."""
    issuing = pair.agent("tokens.issue")
    asked = IssueTokenInput(agent_id=strawberry.ID(str(pair.agency.id)), external_ref=external_ref)
    issued = await token.issue_token(issuing, asked, once(issuing))
    connecting = pair.practice("agents.connect")
    typed = ConnectAgentInput(
        practice_id=strawberry.ID(str(pair.house.id)),
        letters=(await ConnectToken.get(id=issued.token_id)).letters,
        code=issued.code,
        confirm_agent_id=strawberry.ID(str(pair.agency.id)),
        purpose=purpose,
    )
    key = await connect.connect_agent(connecting, typed, once(connecting))
    setting = pair.practice("agents.set_roles")
    wanted = [RoleInput(role=strawberry.ID(role)) for role in granted]
    first = SetRolesInput(
        engagement_id=strawberry.ID(str(key)), roles=wanted, expected_version=1, acknowledge_warnings=True
    )
    await roles.set_roles(setting, key, first, once(setting))
    return key
