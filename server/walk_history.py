"""The walk, looking back: who could do what on another day, what happened since, and a proof to keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from operations.checkpoint import CheckpointInvalid, key_set, read
from server.walk_connecting import Company
from server.walk_person import Person
from server.walk_scene import Agent, Practice, Scene
from server.walk_story import Surprise

_AS_OF = """query ($id: ID!, $at: DateTime!) { accessAsOf(practiceId: $id, at: $at) {
    status roles engagement { id status agent { legalName } } people { permissions member { user { name } } }
} }"""
_ENDINGS = """query ($id: ID!) { practice(id: $id) { auditEvents(last: 1, type: ["engagement.ended"]) {
    nodes { at engagementId }
} } }"""
_FEED = """query ($agent: ID!, $after: String, $first: Int) { changes(agentId: $agent, after: $after, first: $first) {
    changes { cursor type engagementId status externalRef } cursor more
} }"""
_CHECKPOINT = "query ($id: ID!) { practice(id: $id) { auditCheckpoint { sequence hash statement signature } } }"
_HASHES = "query ($id: ID!) { practice(id: $id) { auditEvents(first: 100) { nodes { hash } } } }"
_KEYS = "/.well-known/sparekey-audit-keys.json"
_TICK = timedelta(microseconds=1)
FEED = (
    *("engagement.started", "engagement.roles_set"),  # Maple Street
    *("agreement.requested", "agreement.signed", "agreement.recorded"),
    *("engagement.member_assigned", "engagement.roles_requested", "engagement.roles_set"),
    *("engagement.suspended", "engagement.resumed", "engagement.renewed", "engagement.reviewed"),
    *("engagement.member_assigned", "engagement.member_departed"),
    *("engagement.started", "engagement.started"),  # Harbour, Northside
    *("engagement.ended", "engagement.started"),  # Maple Street, out and in again
    "engagement.ended",  # Harbour
)


def another_day(scene: Scene, company: Company, maple: Practice, ended: dict[str, Any], other: Agent) -> None:
    """`ended` is the company's engagement at Maple Street that Olivia ended, `other` an agent of somebody else."""
    story, olivia = scene.story, maple.owner
    story.chapter("What happened on another day")
    story.tell("Who could submit claims just before Olivia ended Bright Billing? She asks for that very instant.")
    endings = olivia.ask(_ENDINGS, id=maple.id)["auditEvents"]["nodes"]
    story.same("what ended last", [one["engagementId"] for one in endings], [ended["id"]])
    moment = datetime.fromisoformat(endings[0]["at"])
    then, after = (_of(company, _as_of(olivia, maple, at)) for at in (moment - _TICK, moment))
    story.same("the engagement that it was", (then["engagement"]["id"], then["status"]), (ended["id"], "ACTIVE"))
    held = {one["member"]["user"]["name"]: one["permissions"] for one in then["people"]}
    story.same("who could do what", held, {"Ben": sorted(one["key"] for one in ended["permissions"])})
    story.same("its roles, and what it is today", (then["roles"], then["engagement"]["status"]), (["biller"], "ENDED"))
    story.screen(f"then: {then['status']}; roles: biller; Ben: {', '.join(held['Ben'])}", "today: ENDED")
    story.tell("An instant later nobody of the company could. Of a day to come there is nothing to say.")
    story.same("the company's access an instant later", after, {})
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    story.same("the answer", olivia.error_code(_AS_OF, id=maple.id, at=tomorrow), "INVALID_INPUT")
    refused = company.agent.admin.error_code(_AS_OF, id=maple.id, at=endings[0]["at"])
    story.same("the answer to Ada", refused, "NOT_PERMITTED")
    _feed(scene, company, ended, other)
    _checkpoint(scene, maple)


def _as_of(person: Person, practice: Practice, at: datetime) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = person.ask(_AS_OF, id=practice.id, at=at.isoformat())
    return found


def _of(company: Company, access: list[dict[str, Any]]) -> dict[str, Any]:
    return next((one for one in access if one["engagement"]["agent"]["legalName"] == company.agent.name), {})


def _feed(scene: Scene, company: Company, ended: dict[str, Any], other: Agent) -> None:
    story, ada, asked = scene.story, company.agent.admin, {"agent": company.agent.id}
    story.tell("Ada's books have missed a week. She asks what happened, in order, and goes on where a page ended.")
    page = ada.ask(_FEED, **asked, first=5)
    story.same("the first page", (len(page["changes"]), page["more"]), (5, True))
    rest = ada.ask(_FEED, **asked, after=page["cursor"])
    changes = [*page["changes"], *rest["changes"]]
    story.same("what happened", [one["type"] for one in changes], list(FEED))
    first = (changes[0]["engagementId"], changes[0]["externalRef"], changes[0]["status"])
    story.same("the first one: where, her number for it, and how it stands", first, (ended["id"], "client 7", "ENDED"))
    nothing = ada.ask(_FEED, **asked, after=rest["cursor"])
    story.same("what happened since", (nothing["changes"], nothing["more"]), ([], False))
    story.screen(f"{len(changes)} changes; the last: {changes[-1]['type']}")
    story.tell("A place in Dana's feed is none in hers, and of Dana's feed she sees nothing.")
    place = other.admin.ask(_FEED, agent=other.id, first=1)["cursor"]
    story.same("the answer", ada.error_code(_FEED, **asked, after=place), "INVALID_INPUT")
    story.same("the answer", ada.error_code(_FEED, agent=other.id), "NOT_FOUND")


def _checkpoint(scene: Scene, maple: Practice) -> None:
    """Checked as the practice would: with the public key, and against the record."""
    story = scene.story
    story.tell("Olivia keeps a signed statement of where her record stands. Nobody can cut it off unseen from now on.")
    kept = maple.owner.ask(_CHECKPOINT, id=maple.id)["auditCheckpoint"]
    try:
        signed = read(orjson.dumps(kept), key_set(maple.owner.get(_KEYS)))
    except CheckpointInvalid as invalid:
        raise Surprise("the checkpoint", "signed by the key that the server publishes", str(invalid)) from None
    said = (str(signed.chain_id), signed.sequence, signed.hash)
    story.same("what was signed", said, (maple.id, kept["sequence"], kept["hash"]))
    events = maple.owner.ask(_HASHES, id=maple.id)["auditEvents"]["nodes"]
    story.same("the event at its place", events[signed.sequence - 1 : signed.sequence], [{"hash": signed.hash}])
    story.screen(f"event {signed.sequence}, hash {signed.hash[:8]}, signed with key {signed.key_id[:8]}")
