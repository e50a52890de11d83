"""Whether a chain is whole: no gap, every event as it was written, the end where it was recorded to be.

A chain is followed event by event and the first thing that is wrong with it ends that. Gaps are looked for first,
then the link to the event before, then the event itself: what was removed shows at what follows it, what was altered
at itself, and an event that was altered together with its hash at what follows it, too.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from models.connection import Row
from models.cursors import ReadTransaction, read_transaction
from operations.checkpoint import Checkpoint
from operations.record import GENESIS, canonical, hash_of
from resolvers.audit_rows import AS_TEXT, Head, event

BATCH = 5_000

_HEADS = "SELECT chain_id, sequence, hash FROM audit_heads WHERE $1::uuid IS NULL OR chain_id = $1 ORDER BY chain_id"
_EVENTS = f"SELECT {AS_TEXT} FROM audit_events v WHERE v.chain_id = $1 ORDER BY v.sequence"  # noqa: S608  (our own text)
_ALL_EVENTS = f"SELECT {AS_TEXT} FROM audit_events v ORDER BY v.chain_id, v.sequence"  # noqa: S608  (our own text)


class Wrong(enum.StrEnum):
    MISSING = "missing"
    ALTERED = "altered"
    OUT_OF_ORDER = "out of order"
    TRUNCATED = "truncated"


class Bad(Exception):
    """The first thing that is wrong with a chain. `event_id` is None where there is no event to name."""

    def __init__(self, chain_id: str, sequence: int, event_id: str | None, wrong: Wrong, why: str) -> None:
        super().__init__(why)
        self.chain_id = chain_id
        self.sequence = sequence
        self.event_id = event_id
        self.wrong = wrong

    def __str__(self) -> str:
        named = f", id {self.event_id}" if self.event_id else ""
        return f"{self.wrong}: chain {self.chain_id}, sequence {self.sequence}{named}: {self.args[0]}"


@dataclass(slots=True)
class Chain:
    """One chain as far as it was followed. `checkpoints` are those of this chain, by their sequence."""

    id: str
    checkpoints: Mapping[int, Collection[str]] = field(default_factory=dict)
    sequence: int = 0
    hash: str = GENESIS

    def follow(self, event: Mapping[str, Any], content: bytes) -> None:
        """The next event, and the text that its hash is made of. Raises Bad."""
        sequence = event["sequence"]
        if sequence != self.sequence + 1:
            raise self._gap(event)
        if event["previous_hash"] != self.hash:
            raise self._bad(event, Wrong.OUT_OF_ORDER, "it does not follow the event before it")
        if event["hash"] != hash_of(content):
            raise self._bad(event, Wrong.ALTERED, "its content is not what its hash was made of")
        self.sequence, self.hash = sequence, event["hash"]
        if sequence in self.checkpoints and any(hash != self.hash for hash in self.checkpoints[sequence]):
            raise self._bad(event, Wrong.ALTERED, "it is another event than the one that the checkpoint signed")

    def end(self, head: Head | None = None) -> None:
        """After the last event. `head`: where the chain was recorded to end. Raises Bad."""
        ends = max([head.sequence if head else 0, *self.checkpoints])
        if ends > self.sequence:
            by = "its recorded end" if head and head.sequence == ends else "a checkpoint"
            why = f"it ends here, and {by} says that it went on to {ends}"
            raise Bad(self.id, self.sequence + 1, None, Wrong.TRUNCATED, why)

    def ends_at(self, head: Head | None) -> None:
        """As `end`, where the database itself says where the chain ends."""
        self.end(head)
        if head is None or (head.sequence, head.hash) != (self.sequence, self.hash):
            why = "the recorded end of the chain is not its last event"
            raise Bad(self.id, self.sequence, None, Wrong.MISSING if head is None else Wrong.ALTERED, why)

    def _gap(self, event: Mapping[str, Any]) -> Bad:
        expected, found = self.sequence + 1, event["sequence"]
        if isinstance(found, int) and found > expected:
            return Bad(self.id, expected, None, Wrong.MISSING, f"after {self.sequence} comes {found}")
        return self._bad(event, Wrong.OUT_OF_ORDER, f"it stands where {expected} should be")

    def _bad(self, event: Mapping[str, Any], wrong: Wrong, why: str) -> Bad:
        return Bad(self.id, event["sequence"], event["id"], wrong, why)


@dataclass(frozen=True, slots=True)
class Whole:
    """How much was followed, and found to be whole."""

    chains: int
    events: int


async def verify_stored(chain_id: UUID | None, checkpoints: Iterable[Checkpoint] = ()) -> Whole:
    """One chain, or with None all of them, as they are stored at one instant. Raises Bad for the first bad one."""
    kept = _by_chain(checkpoints)
    async with read_transaction() as stored:
        heads = {
            str(row["chain_id"]): Head(row["sequence"], row["hash"]) for row in await stored.read(_HEADS, chain_id)
        }
        known = sorted({*heads, *(kept if chain_id is None else [str(chain_id)])})
        return await _follow(stored, chain_id, {key: Chain(key, kept.get(key, {})) for key in known}, heads)


async def _follow(
    stored: ReadTransaction, chain_id: UUID | None, chains: dict[str, Chain], heads: Mapping[str, Head]
) -> Whole:
    counted, current = 0, ""
    async for rows in _batches(stored, chain_id):
        for row in rows:
            key = row["chain_id"]
            if key != current and current:
                chains[current].ends_at(heads.get(current))
            current = key
            _step(chains.setdefault(key, Chain(key)), row)
        counted += len(rows)
    for key, chain in chains.items():
        if key in heads or chain.sequence or chain.checkpoints:
            chain.ends_at(heads.get(key))
    return Whole(sum(1 for chain in chains.values() if chain.sequence), counted)


def _batches(stored: ReadTransaction, chain_id: UUID | None) -> AsyncIterator[list[Row]]:
    if chain_id is None:
        return stored.batches(BATCH, _ALL_EVENTS)
    return stored.batches(BATCH, _EVENTS, chain_id)


def _step(chain: Chain, row: Row) -> None:
    try:
        found = event(row)
        hash = found.pop("hash")
        content = canonical(found)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raise Bad(chain.id, row["sequence"], row["id"], Wrong.ALTERED, "no event ever had such content") from None
    found["hash"] = hash
    chain.follow(found, content)


def verify_exported(lines: Iterable[bytes], checkpoints: Iterable[Checkpoint] = ()) -> Whole:
    """An export as JSON Lines of one whole chain, without a database. Raises Bad.

    Its end is nowhere recorded: what was cut off shows against a checkpoint only.
    """
    chain: Chain | None = None
    counted = 0
    kept = _by_chain(checkpoints)
    for number, line in enumerate(lines, 1):
        found, content = _exported(line.rstrip(b"\n"), number, chain)
        chain = chain or Chain(found["chain_id"], kept.get(found["chain_id"], {}))
        if found["chain_id"] != chain.id:
            raise Bad(chain.id, chain.sequence + 1, None, Wrong.OUT_OF_ORDER, f"line {number} is of another chain")
        chain.follow(found, content)
        counted += 1
    others = sorted(kept.keys() - ({chain.id} if chain else set()))
    if others:
        raise Bad(others[0], 1, None, Wrong.MISSING, "the file has no event of the chain of a checkpoint")
    if chain:
        chain.end()
    return Whole(1 if chain else 0, counted)


def _exported(line: bytes, number: int, chain: Chain | None) -> tuple[dict[str, Any], bytes]:
    """Only as it was written: of a name that stands there twice every reader would take another one."""
    where = (chain.id, chain.sequence + 1) if chain else ("unknown", 1)
    try:
        found = orjson.loads(line)
        if not isinstance(found, dict) or canonical(found) != line or not _is_event(found):
            raise Bad(*where, None, Wrong.ALTERED, f"line {number} is not an event as it was exported")
        content = canonical({name: value for name, value in found.items() if name != "hash"})
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        raise Bad(*where, None, Wrong.ALTERED, f"line {number} is not JSON") from None
    return found, content


def _is_event(found: Mapping[str, Any]) -> bool:
    texts = all(isinstance(found.get(name), str) for name in ("id", "chain_id", "previous_hash", "hash"))
    return texts and type(found.get("sequence")) is int


def _by_chain(checkpoints: Iterable[Checkpoint]) -> dict[str, dict[int, list[str]]]:
    kept: dict[str, dict[int, list[str]]] = {}
    for each in checkpoints:
        kept.setdefault(str(each.chain_id), {}).setdefault(each.sequence, []).append(each.hash)
    return kept
