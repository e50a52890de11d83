"""What the walk asks of a practice's record: one event for each change, chained, under the policy in force.

Attempts that were refused are in the chain, too, a moment after they were made; they are no changes.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from server.walk_scene import Practice

_EVENTS = """
query ($id: ID!) { practice(id: $id) { auditEvents(first: 100) { totalCount
    nodes { type actor party engagementId policyDigest summary before after previousHash hash } } } }
"""
_BEGINNING = "0" * 64
_ATTEMPT = "access.denied"
_TIMES = 3


def read_record(practice: Practice, *types: str) -> list[dict[str, Any]]:
    """The practice's changes, which have to be exactly these, oldest first, in a chain that is whole."""
    story = practice.owner.story
    page = _page(practice)
    events: list[dict[str, Any]] = page["nodes"]
    changes = [event for event in events if event["type"] != _ATTEMPT]
    story.same("changes in the record", [event["type"] for event in changes], list(types))
    story.same("the count of the record's events", page["totalCount"], len(events))
    digest = practice.owner.ask("{ policy { digest } }")["digest"]
    story.same("the policy that each event names", {event["policyDigest"] for event in events}, {digest})
    _check_chain(practice, events)
    return changes


def _page(practice: Practice) -> dict[str, Any]:
    """Events are counted after they are read: an attempt may have been written in between, but not again and again."""
    for _ in range(_TIMES):
        page: dict[str, Any] = practice.owner.ask(_EVENTS, id=practice.id)["auditEvents"]
        if page["totalCount"] == len(page["nodes"]):
            break
    return page


def _check_chain(practice: Practice, events: list[dict[str, Any]]) -> None:
    """Each event carries the hash of the one before it; the first one that of nothing."""
    story = practice.owner.story
    story.same("the first event's previous hash", events[0]["previousHash"], _BEGINNING)
    for earlier, later in itertools.pairwise(events):
        story.same(f"the link from {later['type']}", later["previousHash"], earlier["hash"])
    hashes = [event["hash"] for event in events]
    well_formed = all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes) and len(set(hashes)) == len(hashes)
    story.true("the events' hashes", well_formed, hashes, "64 hexadecimal digits each, no two alike")
