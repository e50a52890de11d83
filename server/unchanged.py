"""The unchanged page asked again: the bytes of the last answer, while nothing that they show has changed.

A query's answer is kept under everything that it was asked with: the credential, the way and the media type, and the
bytes of the request. It is given again only

- after `confirm`, which began once the request was here and knows every change that was committed before that
  (`models/freshness.py`), in whatever worker; a revocation that was answered is one of them;
- if none of the rows it was made of changed, the rows that say who is asking and what they may do included; it was not
  kept at all if anything was read that is not watched, or the clock was looked at without saying until when the result
  holds (`models/memory.py`);
- before the first instant at which time alone would change it: a grant's end, midnight for a training that falls due,
  and the minute after which a session's last use is written down again.

Errors, mutations and answers to nobody in particular are never kept. The name is a digest, so neither a credential
nor a variable stays in memory for this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from models.memory import Recording
from resolvers.execution import RequestContext, RequestFacts
from resolvers.remembered import Kept, Remembered
from server.answer import Encoded
from server.metrics import OK


@dataclass
class Question:
    """A request as an answer can be found again by. `content` is the body, or the query string of a GET."""

    facts: RequestFacts
    kind: str
    method: str
    content: bytes = field(repr=False)

    @cached_property
    def name(self) -> bytes:
        credential = self.facts.credential
        whose = credential and f"{credential.kind.value} {credential.name.hex()}"
        told = f"{whose}\n{self.method}\n{self.kind}\n"
        return hashlib.sha256(told.encode() + self.content).digest()


class Unchanged:
    """Without anything remembered (`None`) every question is new."""

    def __init__(self, remembered: Remembered | None) -> None:
        self._remembered = remembered
        # Whether what is remembered is known to be true for a request that is here.
        self.confirm: Callable[[], Awaitable[bool]] = _never if remembered is None else remembered.confirm
        self.keeps = remembered is not None and remembered.answers.most > KEY_BYTES

    def find(self, question: Question) -> Kept | None:
        """What was kept for it, if it was confirmed."""
        if not self.keeps or not question.facts.confirmed:
            return None
        return self.named(question.name, question.facts.now)

    def named(self, name: bytes, now: datetime) -> Kept | None:
        """What was kept under this name, for a request that was confirmed."""
        return None if self._remembered is None else self._remembered.answers.get(name, now)

    def recorded(self, question: Question) -> AbstractContextManager[Recording | None]:
        """What is read inside may be kept afterwards."""
        if self._remembered is None or not question.facts.confirmed or not self.keeps:
            return nullcontext()
        return self._remembered.changes.recorded()

    def keep(self, question: Question, made: Recording | None, context: RequestContext, answer: Encoded) -> bool:
        """Whether it was kept. To be called while the recording is open: a change that comes later finds it."""
        if self._remembered is None or made is None or not (answer.whole and answer.repeatable):
            return False
        if context.actor is None or context.session_change is not None:
            return False
        kept, weight = Kept(answer.body, context.policy_digest), len(answer.body) + KEY_BYTES * (2 + len(made.keys))
        return self._remembered.answers.keep(question.name, kept, made, question.facts.now, weight)


async def _never() -> bool:
    return False


KEY_BYTES = 320  # of memory for each row that an answer depends on, its place in the index included: measured


def again(kept: Kept, kind: str) -> Encoded:
    return Encoded(200, kept.body, {"Content-Type": f"{kind}; charset=utf-8"}, OK)
