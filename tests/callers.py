"""Every kind of caller, and one of everything they can ask about: the world of the golden table.

Four practices of one owner stand to the same agents in four ways: an engagement that is active (`own`), suspended,
expired (in its days of grace) or ended. A fifth belongs to somebody else (`other`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pyotp
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url

from authz.scopes import carriable
from models import (
    AgentMember,
    Agreement,
    ApiKey,
    Assignment,
    AuditEvent,
    Engagement,
    Factor,
    PasskeyChallenge,
    Review,
    Session,
    StaffMember,
    User,
)
from models.identifier import uuid7
from operations import totp
from tests.authenticator import Authenticator
from tests.hashing import QUICK
from tests.keys import made, program
from tests.stored import rows
from tests.town import COOKIE, INVITED, SITE, Agency, Client, House, Town

PASSWORD = "correct horse battery"
# As of sessions and keys: no use is written down while the table is asked.
USED = """
INSERT INTO role_uses (id, engagement_id, role, last_used_at)
SELECT gen_random_uuid(), engagement_id, role, granted_at FROM role_grants WHERE removed_at IS NULL
"""
SECRET = pyotp.random_base32()
CHALLENGE = bytes_to_base64url(bytes(range(32)))
WAYS = {"own": "Elm Street", "suspended": "Elm Paused", "expired": "Elm Lapsed", "ended": "Elm Former"}
STAFF = {
    "manager": "manager",
    "scheduler": "scheduler",
    "administrator": "staff_administrator",
    "removed": "manager",
    "disabled": "manager",
    "clerk": "scheduler",
}
# What the columns of the table mean.
CALLERS = {
    "nobody": "not signed in",
    "stranger": "signed in, belongs nowhere",
    "owner": "owner of the practice",
    "manager": "manager on its staff",
    "scheduler": "scheduler on its staff",
    "administrator": "staff administrator on its staff",
    "other owner": "owner of another practice",
    "agent admin": "admin of the agent, not assigned to the practice",
    "agent member": "plain member of the agent, assigned to the practice",
    "program": "API key of that plain member, which carries all that a key can",
    "rival member": "member of another agent in the same practice, assigned",
    "desk worker": "front-office worker with the Manager role in the practice",
    "operator": "the platform's operator",
    "removed": "was a manager on the practice's staff",
    "departed": "was an admin of the agent",
    "disabled": "manager on the staff and admin of the agent, account disabled",
}


@dataclass
class World:
    """`ids` are by kind and place (`practice own`), `references` the cookie of each caller."""

    town: Town
    callers: dict[str, Client] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    letters: str = ""
    invitation: str = ""  # the code of one to the staff of the practice
    code: str = ""
    factors: dict[str, dict[str, Any]] = field(default_factory=dict)  # what mutations about them are given

    def browser(self, caller: str) -> Client:
        """The caller's browser with the session it began with."""
        client = self.callers[caller]
        client.http.cookies.clear()
        if caller in self.references:
            client.http.cookies.set(COOKIE, self.references[caller])
        return client


async def build(town: Town) -> World:
    world = World(town)
    houses = {way: await town.practice(name) for way, name in WAYS.items()}
    houses["other"] = await town.practice("Harbour Counselling", "SHARED_OFFICE_MEMBER")
    world.ids |= {f"practice {place}": house.id for place, house in houses.items()}
    await _employ(town, houses)
    agents = await _agents(town)
    await _engage_all(world, houses, agents)
    await _name_callers(world, houses, agents)
    await _people(world, houses, agents)
    await _reviews(world)
    await rows(USED)
    await _invitations(world, houses, agents)
    await _events(world)
    await _factors(world)
    await _sessions(world)
    world.ids |= {f"{kind} unknown": str(uuid7()) for kind in {key.split()[0] for key in world.ids}}
    newcomer = await town.agency("Newcomer Billing")
    world.ids["agent newcomer"] = newcomer.id
    world.letters, world.code = await newcomer.issue()
    return world


async def _employ(town: Town, houses: dict[str, House]) -> None:
    for way in WAYS:
        for name, role in STAFF.items():
            await town.staff(houses[way], f"{name}@elm.example", role)
    await town.staff(houses["other"], "clerk@harbour.example", "scheduler")


async def _agents(town: Town) -> dict[str, Agency]:
    agents = {
        "own": await town.agency("ACME Billing"),
        "other": await town.agency("Clearwater Management", "PRACTICE_MANAGEMENT_COMPANY"),
        "rival": await town.agency("Rival Billing"),
        "desk": await town.agency("Frontdesk", "FRONT_OFFICE_WORKER"),
    }
    await town.member(agents["own"], "member@acme.example")
    await town.member(agents["own"], "departed@acme.example", admin=True)
    await town.member(agents["own"], "disabled@elm.example", admin=True)
    await town.member(agents["rival"], "member@rival.example")
    return agents


async def _engage_all(world: World, houses: dict[str, House], agents: dict[str, Agency]) -> None:
    """ACME bills for all four, the worker sits at all four desks; the rival is at one, Clearwater elsewhere."""
    for way in WAYS:
        world.ids[f"engagement {way}"] = await _engage(world, houses[way], agents["own"], way, "biller")
        await _engage(world, houses[way], agents["desk"], way, "manager")
    await _engage(world, houses["own"], agents["rival"], "own", "biller")
    world.ids["engagement other"] = await _engage(world, houses["other"], agents["other"], "own", "scheduler")


async def _engage(world: World, house: House, agent: Agency, way: str, role: str) -> str:
    """An engagement with a role, an agreement in force, every plain member assigned, and then what `way` says."""
    engaged = await world.town.engage(house, agent)
    key, now = engaged["id"], world.town.clock.now
    typed = {"roles": [{"role": role}], "expectedVersion": engaged["version"], "acknowledgeWarnings": True}
    done = await house.owner.do("setRoles", "", engagementId=key, **typed)
    assert done["__typename"] == "SetRolesSuccess", done
    signed: dict[str, Any] = {"agent_signed_at": now, "practice_signed_at": now, "effective_on": now.date()}
    await Agreement.create(engagement_id=key, basis="baa", **signed)
    for member in await AgentMember.filter(agent_id=agent.id, admin=False):
        by = house.owner.user_id
        await Assignment.create(engagement_id=key, member_id=member.id, assigned_at=now, assigned_by_id=by)
    await _make(way, house, key, now)
    return str(key)


async def _make(way: str, house: House, key: str, now: Any) -> None:
    if way == "suspended":
        await Engagement.filter(id=key).update(suspended_at=now)
    elif way == "expired":
        past = {"started_at": now - timedelta(days=400), "expires_at": now - timedelta(days=5)}
        await Engagement.filter(id=key).update(**past)
    elif way == "ended":
        ended = await house.owner.do("revokeAgent", "", engagementId=key)
        assert ended["__typename"] == "RevokeAgentSuccess", ended


async def _name_callers(world: World, houses: dict[str, House], agents: dict[str, Agency]) -> None:
    town = world.town
    staff = {name: await town.person(f"{name}@elm.example") for name in STAFF if name != "clerk"}
    world.callers = staff | {
        "nobody": town.visitor(),
        "stranger": await town.person("stranger@nowhere.example"),
        "owner": houses["own"].owner,
        "other owner": houses["other"].owner,
        "agent admin": agents["own"].admin,
        "agent member": await town.person("member@acme.example"),
        "program": await _program(town, agents["own"]),
        "rival member": await town.person("member@rival.example"),
        "desk worker": agents["desk"].admin,
        "operator": await town.operator(),
        "departed": await town.person("departed@acme.example"),
    }
    assert world.callers.keys() == CALLERS.keys()
    cookies = {name: client.http.cookies.get(COOKIE) for name, client in world.callers.items()}
    world.references = {name: cookie for name, cookie in cookies.items() if cookie}
    await User.all().update(password_hash=QUICK.hash(PASSWORD))
    people, now = world.callers, town.clock.now
    await StaffMember.filter(user_id=people["removed"].user_id).update(removed_at=now)
    await AgentMember.filter(user_id=people["departed"].user_id).update(departed_at=now)
    await User.filter(id=people["disabled"].user_id).update(disabled_at=now)


async def _program(town: Town, agent: Agency) -> Client:
    member = await town.person("member@acme.example")
    key = await made(agent, *sorted(carriable(town.policy, "billing_company")), member=member)
    await ApiKey.filter(id=key["id"]).update(last_used_at=town.clock.now)  # as sessions: no use is written down
    return program(town, key["secret"])


async def _people(world: World, houses: dict[str, House], agents: dict[str, Agency]) -> None:
    """Somebody of the staff, a member, a token, a key and a user on either side."""
    for place, domain in (("own", "elm"), ("other", "harbour")):
        clerk = await User.get(email=f"clerk@{domain}.example")
        staff = await StaffMember.get(practice_id=houses[place].id, user_id=clerk.id)
        member = await AgentMember.get(agent_id=agents[place].id, user_id=agents[place].admin.user_id)
        issued = await agents[place].admin.do(
            "issueToken", "... on IssueTokenSuccess { token { id } }", agentId=agents[place].id
        )
        found = {"staff": staff.id, "user": clerk.id, "member": member.id, "agent": agents[place].id}
        world.ids |= {f"{kind} {place}": str(key) for kind, key in found.items()}
        world.ids[f"token {place}"] = issued["token"]["id"]
        world.ids[f"api_key {place}"] = (await made(agents[place], "tokens.read"))["id"]
    removed = await StaffMember.get(practice_id=houses["own"].id, user_id=world.callers["removed"].user_id)
    world.ids["staff removed"] = str(removed.id)


async def _reviews(world: World) -> None:
    """The open review of an engagement on either side."""
    for place in ("own", "other"):
        review = await Review.get(engagement_id=world.ids[f"engagement {place}"], decided_at=None)
        world.ids[f"review {place}"] = str(review.id)


async def _invitations(world: World, houses: dict[str, House], agents: dict[str, Agency]) -> None:
    """One to the staff and one into the agent on either side."""
    typed: dict[str, Any] = {"email": "fresh@nowhere.example", "name": "Fresh"}
    for place in ("own", "other"):
        house, agent = houses[place], agents[place]
        hired = await house.owner.do("addStaff", INVITED, practiceId=house.id, roles=["scheduler"], **typed)
        joined = await agent.admin.do("inviteMember", INVITED, agentId=agent.id, **typed)
        world.ids |= {f"invitation {place}": hired["invitation"]["id"]}
        world.ids |= {f"agent_offer {place}": joined["invitation"]["id"]}
        world.invitation = world.invitation or hired["code"]


async def _events(world: World) -> None:
    """An audit event of each kind of chain: a practice's, an agent's, a person's."""
    for place in ("own", "other"):
        practice, agent = UUID(world.ids[f"practice {place}"]), UUID(world.ids[f"agent {place}"])
        of_practice = await AuditEvent.filter(chain_id=practice).order_by("sequence").first()
        of_agent = await AuditEvent.filter(chain_id=agent).order_by("sequence").first()
        assert of_practice is not None
        assert of_agent is not None
        world.ids |= {f"event {place}": str(of_practice.id), f"agent_event {place}": str(of_agent.id)}
    stranger = await world.town.person("stranger@nowhere.example")  # in another browser
    assert await stranger.ask("mutation { signOut }")
    of_person = await AuditEvent.get(chain_id=UUID(stranger.user_id))
    world.ids["person_event stranger"] = str(of_person.id)


async def _factors(world: World) -> None:
    """The stranger signed in with an app, began to add another, and holds a passkey's answer to every challenge."""
    now, stranger, device = world.town.clock.now, UUID(world.callers["stranger"].user_id), Authenticator()
    clerk = await User.get(email="clerk@harbour.example")
    await Session.filter(user_id=stranger).update(second_factor=True)
    for place, user_id in (("own", stranger), ("other", clerk.id)):
        for kind, since in (("factor", now), ("enrolment", None)):
            key = uuid7()
            made: dict[str, Any] = {"kind": "totp", "label": "Phone", "secret": totp.seal(key, SECRET), "added_at": now}
            await Factor.create(id=key, user_id=user_id, confirmed_at=since, **made)
            world.ids[f"{kind} {place}"] = str(key)
    world.factors["confirmTotp"] = {"code": pyotp.TOTP(SECRET).at(now)}
    options = {"challenge": CHALLENGE, "user": {"id": bytes_to_base64url(stranger.bytes)}, "rp": {"id": SITE.id}}
    world.factors["finishPasskey"] = await _answered("enrol", stranger, now, Authenticator().create(options))
    device.create(options)
    passkey: dict[str, Any] = {"credential_id": device.credential_id, "public_key": device.public_key()}
    await Factor.create(user_id=stranger, kind="passkey", label="Laptop", added_at=now, confirmed_at=now, **passkey)
    signed = device.get({"challenge": CHALLENGE, "rpId": SITE.id})
    world.factors["signInWithPasskey"] = await _answered("sign_in", None, now, signed)
    world.factors["reauthenticateWithPasskey"] = await _answered("reauthenticate", stranger, now, signed)


async def _sessions(world: World) -> None:
    """Of the stranger and of somebody else, both in a browser that nobody asks with."""
    clerk = await User.get(email="clerk@harbour.example")
    now, people = world.town.clock.now, {"own": UUID(world.callers["stranger"].user_id), "other": clerk.id}
    times: dict[str, Any] = {
        "started_at": now,
        "last_seen_at": now,
        "reauthenticated_at": now,
        "expires_at": now + timedelta(hours=12),
    }
    for place, user_id in people.items():
        made = await Session.create(user_id=user_id, reference_hash=uuid7().bytes * 2, **times)
        world.ids[f"session {place}"] = str(made.id)


async def _answered(purpose: str, user_id: UUID | None, now: datetime, credential: dict[str, Any]) -> dict[str, Any]:
    challenge = base64url_to_bytes(CHALLENGE)
    times: dict[str, Any] = {"made_at": now, "expires_at": now + timedelta(minutes=5)}
    made = await PasskeyChallenge.create(purpose=purpose, user_id=user_id, challenge=challenge, **times)
    return {"challengeId": str(made.id), "credential": credential}
