"""Connect tokens in the walk: reading one off the screen, and the ways in which people get it wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from operations.spelling import check_digit
from server.walk_person import Person

TOKEN = "id letters spoken status issuedAt expiresAt attemptsRemaining"  # noqa: S105  (fields of the API)


@dataclass(frozen=True)
class Token:
    id: str
    letters: str
    code: str  # as it is shown: 1234-5678-9012
    spoken: tuple[str, ...] = ()

    @property
    def typed(self) -> dict[str, str]:
        return {"letters": self.letters, "code": self.code}


def issue(member: Person, agent_id: str, **typed: Any) -> Token:
    """A fresh token, checked for everything that its screen shows."""
    issued = member.does("issueToken", f"code token {{ {TOKEN} }}", agentId=agent_id, **typed)
    shown, code, story = issued["token"], issued["code"], member.story
    four = re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}", shown["letters"])
    story.true("the token's letters", bool(four), shown["letters"], "four consonants")
    digits = re.fullmatch(r"\d{4}-\d{4}-\d{4}", code)
    story.true("the token's code", bool(digits) and check_digit(_digits(code)) == "0", code, "4-4-4 and a check digit")
    story.same("the spelling words' initials", "".join(word[0] for word in shown["spoken"]), shown["letters"])
    story.same("the token's status", shown["status"], "ISSUED")
    story.same("attempts that remain", shown["attemptsRemaining"], 5)
    story.same("seconds on the countdown", _seconds(shown), 600)
    return Token(shown["id"], shown["letters"], code, tuple(shown["spoken"]))


def _seconds(token: dict[str, Any]) -> float:
    return (datetime.fromisoformat(token["expiresAt"]) - datetime.fromisoformat(token["issuedAt"])).total_seconds()


def token_now(member: Person, agent_id: str, token: Token) -> dict[str, Any]:
    """The token's true state, as only the agent sees it."""
    document = f"query ($id: ID!) {{ agent(id: $id) {{ tokens(live: false) {{ {TOKEN} }} }} }}"
    tokens = member.ask(document, id=agent_id)["tokens"]
    return next((one for one in tokens if one["id"] == token.id), {})


def misheard(token: Token, place: int) -> str:
    """The code with one digit wrong."""
    digits = _digits(token.code)
    return digits[:place] + str((int(digits[place]) + 1) % 10) + digits[place + 1 :]


def swapped(token: Token) -> str:
    """The code with its first two unequal neighbours swapped."""
    digits = _digits(token.code)
    at = next((n for n in range(11) if digits[n] != digits[n + 1]), 0)
    return digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]


def guess(token: Token, nth: int) -> str:
    """A well-formed code that is not this token's."""
    eleven = f"{(int(_digits(token.code)[:11]) + nth) % 10**11:011d}"
    return eleven + check_digit(eleven)


def _digits(code: str) -> str:
    return code.replace("-", "")
