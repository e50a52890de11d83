"""Every list of the API, to leaf through: forwards, backwards, and to open at a cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from models import AuditEvent, StaffMember
from tests import crowd
from tests.crowd import Crowd

INFO = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
PAGE = f"totalCount {INFO} edges {{ cursor node {{ id }} }} nodes {{ id }}"
ARGUMENTS = "first: $first, after: $after, last: $last, before: $before"
HEAD = 'query ($first: Int, $after: String, $last: Int, $before: String, $id: ID = "")'
# Each list: who asks, the parent and what is asked of it. `ids` names the crowd's ids in the order of the list.
LISTS = {
    "practices": ("owner", "practices", "practices"),
    "agents": ("owner", "agents", "agents"),
    "Practice.staff": ("owner", "practice(id: $id) { staff", "staff"),
    "Practice.engagements": ("owner", "practice(id: $id) { engagements", "engagements"),
    "Practice.auditEvents": ("owner", "practice(id: $id) { auditEvents", "events"),
    "Agent.members": ("admin", "agent(id: $id) { members", "members"),
    "Agent.engagements": ("admin", "agent(id: $id) { engagements", "clients"),
    "Viewer.staffOf": ("owner", "viewer { staffOf", "staff_of"),
    "Viewer.memberOf": ("admin", "viewer { memberOf", "member_of"),
}


class Book:
    """One list to leaf through."""

    def __init__(self, crowd: Crowd, name: str, filters: str = "") -> None:
        asker, self.path, _ = LISTS[name]
        self.client = crowd.owner if asker == "owner" else crowd.admin
        self.id = crowd.practice if asker == "owner" else crowd.agent
        inner = f"{self.path}({ARGUMENTS}{filters}) {{ {PAGE} }}"
        self.document = f"{HEAD} {{ {inner} {'}' if '{' in self.path else ''} }}".replace(
            ', $id: ID = ""', ", $id: ID!" if "$id" in self.path else ""
        )

    def _variables(self, asked: dict[str, Any]) -> dict[str, Any]:
        return asked | ({"id": self.id} if "$id" in self.path else {})

    async def page(self, **asked: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self.client.ask(self.document, **self._variables(asked))
        return found if "pageInfo" in found else next(iter(found.values()))

    async def refusal(self, **asked: Any) -> tuple[str, str | None]:
        extensions = (await self.client.refusal(self.document, **self._variables(asked)))["extensions"]
        return extensions["code"], extensions.get("field")

    async def forward(self, size: int) -> AsyncIterator[dict[str, Any]]:
        after = None
        while True:
            page = await self.page(first=size, after=after)
            yield page
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    async def backward(self, size: int) -> AsyncIterator[dict[str, Any]]:
        before = None
        while True:
            page = await self.page(last=size, before=before)
            yield page
            if not page["pageInfo"]["hasPreviousPage"]:
                return
            before = page["pageInfo"]["startCursor"]


async def ids_of(people: Crowd, name: str) -> list[str]:
    """What the list holds, in order, as the database says."""
    which = LISTS[name][2]
    if which == "events":
        found = await AuditEvent.filter(chain_id=people.practice).order_by("sequence").values_list("id", flat=True)
        return [str(key) for key in found]
    if which == "staff_of":
        found = await StaffMember.filter(user_id=people.owner.user_id).values_list("id", flat=True)
        return [str(key) for key in sorted(found)]
    if which == "member_of":
        rows = await crowd.memberships(people.admin.user_id)
        return [str(key) for key in sorted(rows)]
    if which == "engagements":
        return [str(key) for key in sorted(await crowd.all_engagements(practice_id=people.practice))]
    if which == "clients":
        return [str(key) for key in sorted(await crowd.all_engagements(agent_id=people.agent))]
    return [str(key) for key in getattr(people, which)]


def ids(page: dict[str, Any]) -> list[str]:
    assert [edge["node"] for edge in page["edges"]] == page["nodes"]
    cursors = [edge["cursor"] for edge in page["edges"]] or [None]
    assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (cursors[0], cursors[-1])
    return [node["id"] for node in page["nodes"]]
