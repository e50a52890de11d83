"""Where made-up lives are played: two practices and two agents behind the real API, put back before each life."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from authz.policy import Policy
from models import PolicyActivation
from operations.sweep import sweep
from tests.keeping import Restorer
from tests.life_acts import Act
from tests.life_model import PEOPLE, PROBES, STAFF, Scene
from tests.stored import rows
from tests.town import Agency, Client, Clock, House, Town, build, wrong

SHA = "ab" * 32
LOOK = (
    """query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Engagement { version status assignments { cap { key } } } } }"""
)
CAN = "query ($elm: ID!, $harbour: ID!) { viewer { elm: permissions(practiceId: $elm)"
CAN += " harbour: permissions(practiceId: $harbour) } }"
AS_OF = """query ($id: ID!, $at: DateTime!) {
    accessAsOf(practiceId: $id, at: $at) { engagement { id } status permissions } }"""
NOW = "query ($id: ID!) { practice(id: $id) { engagements(first: 100) { nodes { id status permissions { key } } } } }"


class Stage:
    """`keys` are the ids of the scene's engagements, in its order. No dataclass: hypothesis would print all of it."""

    def __init__(
        self,
        town: Town,
        restore: Restorer,
        houses: dict[str, House],
        agents: dict[str, Agency],
        people: dict[str, Client],
        ben: str,
        policies: dict[frozenset[str], Policy],
    ) -> None:
        self.town, self.restore, self.houses, self.agents, self.people = town, restore, houses, agents, people
        self.members = {"ben": ben}
        self.policies = policies
        self.keys: list[str] = []

    async def begin(self, at: datetime) -> None:
        await self.town.remembered.uses.close()
        await self.restore()
        self.town.remembered.changes.anything_may_have()
        self.keys = []
        self.town.policy = self.policies[frozenset()]
        await self.set_clock(at)

    async def set_clock(self, at: datetime) -> None:
        """Everybody has signed in again since."""
        self.town.clock.now = at
        await rows(
            "UPDATE sessions SET last_seen_at = $1::timestamptz, reauthenticated_at = $1,"
            " expires_at = $1::timestamptz + interval '1 day'",
            at,
        )

    async def put_in_force(self, lost: frozenset[str]) -> None:
        policy = self.town.policy = self.policies[lost]
        number = await PolicyActivation.all().count() + 1
        said: dict[str, Any] = {
            "digest": policy.digest,
            "source_digest": policy.source_digest,
            "name": policy.name,
            "version": "1",
        }
        await PolicyActivation.create(number=number, activated_at=self.town.clock.now, **said)

    async def sweep(self) -> int:
        return sum((await sweep(self.town.policy, self.town.clock.now)).values())

    async def do(self, what: Act, scene: Scene) -> bool:
        """Whether it succeeded."""
        client = self.people[what.who]
        typed: dict[str, Any] = {"engagementId": self.keys[what.place]} if what.place >= 0 else {}
        versioned = typed | {"expectedVersion": what.version}
        if what.kind == "connect":
            return await self._connect(client, what)
        if what.kind == "set_roles":
            until = {"expiresAt": what.until.isoformat()} if what.until else {}
            roles = [{"role": role, **until} for role in sorted(what.roles)]
            return await _done(client, "setRoles", **versioned, roles=roles, acknowledgeWarnings=True)
        if what.kind == "renew" and what.until is not None:
            end = {"expiresAt": what.until.isoformat(), "autoExtend": what.extends}
            return await _done(client, "renewEngagement", **versioned, **end)
        if what.kind == "agree":
            return await self._agree(client, what, scene, typed)
        if what.kind in ("assign", "unassign"):
            cap = {"cap": None if what.cap is None else sorted(what.cap)} if what.kind == "assign" else {}
            return await _done(client, f"{what.kind}Member", **typed, memberId=self.members["ben"], **cap)
        if what.kind == "ask for":
            return await _done(client, "requestRoles", **typed, roles=sorted(what.roles), reason="for the audit")
        if what.kind == "keep":
            return await _done(client, "decideReview", reviewId=await self._review(what), decision="KEEP")
        if what.kind == "depart":
            return await _done(client, "departMember", memberId=self.members["ben"])
        if what.kind in ("stop", "go on"):
            name = {"stop": "suspendAgent", "go on": "resumeAgent"}[what.kind]
            return await _done(client, name, agentId=self.agents[what.agent].id)
        name, given = {
            "confirm": ("confirmRoles", versioned),
            "revoke": ("revokeAgent", typed),
            "leave": ("leavePractice", typed),
            "suspend": ("suspendEngagement", versioned | {"reason": "a while"}),
            "resume": ("resumeEngagement", versioned),
            "terminate": ("terminateAgreement", versioned),
        }[what.kind]
        return await _done(client, name, **given)

    async def _connect(self, client: Client, what: Act) -> bool:
        agent = self.agents[what.agent]
        shown = "... on IssueTokenSuccess { code token { id letters } }"
        issued = await agent.admin.do("issueToken", shown, agentId=agent.id)
        if issued["__typename"] != "IssueTokenSuccess":
            return False
        house = self.houses[what.practice]
        made = await client.connect(house, issued["token"]["letters"], issued["code"], agent)
        if made["__typename"] != "ConnectAgentSuccess":
            await agent.admin.do("cancelToken", "", tokenId=issued["token"]["id"])  # a member has five at most
            return False
        self.keys.append(made["engagement"]["id"])
        return True

    async def _agree(self, client: Client, what: Act, scene: Scene, typed: dict[str, Any]) -> bool:
        """In the terms of the agreement that waits, where one does."""
        there, today = scene.lives[what.place].agreement, scene.now.date()
        first = today if there is None or there.over(today) else there.first
        last = None if what.days is None else today + timedelta(days=what.days)
        if there is not None and not there.over(today):
            last = there.last
        days = {"effectiveOn": first.isoformat(), "expiresOn": last.isoformat() if last else None}
        document = {"documentRef": "cabinet 3", "documentSha256": SHA}
        if what.who in PEOPLE:
            return await _done(client, "signAgreement", **typed, **days, **document)
        return await _done(client, "recordAgreement", **typed, **days, **document, basis="BAA")

    async def _review(self, what: Act) -> str:
        """The one after so many decided ones."""
        found = await rows(
            "SELECT id::text FROM reviews WHERE engagement_id::text = $1 ORDER BY opened_at, id OFFSET $2 LIMIT 1",
            *(self.keys[what.place], what.version),
        )
        return str(found[0]["id"])

    async def seen(self) -> list[tuple[int, str, int]]:
        """Version and status of every engagement, and how many work in it, as somebody sees them who may."""
        nodes = await self.people["operator"].ask(LOOK, ids=self.keys)
        return [(node["version"], node["status"], len(node["assignments"])) for node in nodes]

    async def can(self) -> dict[tuple[str, str], set[str]]:
        """Which of PROBES each of the agents' people has in each practice."""
        places, probes = {name: house.id for name, house in self.houses.items()}, set(PROBES.values())
        found: dict[tuple[str, str], set[str]] = {}
        for name in PEOPLE:
            answer = await self.people[name].ask(CAN, **places)
            found |= {(name, place): set(answer[place]) & probes for place in places}
        return found

    async def guess(self) -> None:
        """A wrong code for a token that stays. By two who connect nobody, so that it stands in no one's way."""
        shown = "... on IssueTokenSuccess { code token { letters } }"
        issued = await self.people["ben"].do("issueToken", shown, agentId=self.agents["acme"].id)
        if issued["__typename"] == "IssueTokenSuccess":
            await self.people["mia"].preview(self.houses["elm"], issued["token"]["letters"], wrong(issued["code"]))

    async def counters(self) -> dict[str, int]:
        """Everything that only counts upwards: attempts at tokens, events of records, changes of feeds, versions."""
        found = await rows(
            "SELECT 'token ' || id AS name, attempts::bigint AS count FROM connect_tokens"
            " UNION ALL SELECT 'record ' || chain_id, sequence FROM audit_heads"
            " UNION ALL SELECT 'feed ' || agent_id, number FROM change_heads"
            " UNION ALL SELECT 'engagement ' || id, version FROM engagements"
        )
        return {row["name"]: row["count"] for row in found}

    async def events(self) -> int:
        """How many the records of the practices hold."""
        (row,) = await rows("SELECT count(*) AS events FROM audit_events WHERE practice_id IS NOT NULL")
        return int(row["events"])

    async def history_agrees(self) -> None:
        """What the record says of this instant is what the tables say."""
        for name, owner in (("elm", "olga"), ("harbour", "hugo")):
            house, client = self.houses[name], self.people[owner]
            told = await client.ask(AS_OF, id=house.id, at=self.town.clock.now.isoformat())
            shown = (await client.ask(NOW, id=house.id))["engagements"]["nodes"]
            then = {each["engagement"]["id"]: (each["status"], sorted(each["permissions"])) for each in told}
            now = {
                each["id"]: (each["status"], sorted(one["key"] for one in each["permissions"]))
                for each in shown
                if each["status"] != "ENDED"
            }
            assert then == now


async def _done(client: Client, mutation: str, **typed: Any) -> bool:
    answer = await client.do(mutation, "", **typed)
    return str(answer["__typename"]).endswith("Success")


async def build_stage(session: asyncpg.Connection, shipped: Policy) -> Stage:
    """In an empty database."""
    town = build(Clock())
    houses = {"elm": await town.practice("Elm Street"), "harbour": await town.practice("Harbour Counselling")}
    agents = {"acme": await town.agency(), "dana": await town.agency("Dana", "FRONT_OFFICE_WORKER")}
    people = {
        "olga": houses["elm"].owner,
        "hugo": houses["harbour"].owner,
        "mia": await town.staff(houses["elm"], "mia@elm.example", "manager"),
        "ada": agents["acme"].admin,
        "dana": agents["dana"].admin,
        "ben": await town.member(agents["acme"], "ben@acme.example"),
        "operator": await town.operator(),
    }
    assert people.keys() == {*STAFF, *PEOPLE, "operator"}
    mine = "{ viewer { memberOf { nodes { id } } } }"
    (ben,) = (await people["ben"].ask(mine))["memberOf"]["nodes"]
    found = await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    restore = Restorer(session, [row["tablename"] for row in found if row["tablename"] != "tortoise_migrations"])
    await restore.keep()
    biller = shipped.roles["biller"]
    narrower = replace(biller, permissions=biller.permissions - {"claims.submit"})
    manager = replace(shipped.roles["manager"], permissions=shipped.roles["manager"].permissions - {"claims.submit"})
    roles = {**shipped.roles, "biller": narrower, "manager": manager}
    lesser = replace(shipped, roles=roles, digest="0" * 12, source_digest="0" * 64)
    policies = {frozenset[str](): shipped, frozenset({"claims.submit"}): lesser}
    return Stage(town, restore, houses, agents, people, ben["id"], policies)
