"""For whom the database is asked: what row-level security (migrations 0005 and 0014) goes by, the second wall.

Every statement on a table with a practice is answered for somebody: a person, who sees the rows of the practices and
agents they belong to, whatever the statement asks for; or, past every tenant, for the platform's operators, and for
the service itself in the few places that say so. Who says nothing is nobody, and sees no rows. So a query without its
filter shows nothing of others, and a check that was forgotten is not the only one.

The person is set once, when a request's caller is known, and goes with the task and every task it starts. It reaches
PostgreSQL as a setting of the session or the transaction, which its policies read.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from uuid import UUID

from models.setting import Setting

SETTING = "sparekey.acting"


@dataclass(frozen=True, slots=True)
class Acting:
    """`everywhere`: past every tenant, whoever it is. `who`: as the setting says it."""

    user_id: UUID | None = None
    everywhere: bool = False
    who: str = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "who", "everywhere" if self.everywhere else str(self.user_id or ""))

    def settings(self, local: bool = False) -> str:
        """The statement that tells PostgreSQL; `local` for the running transaction only. Nothing typed is in it."""
        return f"SET {'LOCAL' if local else 'SESSION'} {SETTING} = '{self.who}'"


NOBODY = Acting()
SERVICE = Acting(everywhere=True)

_said: ContextVar[Acting | None] = ContextVar("for whom the database is asked", default=None)
_unsaid = NOBODY


def acting() -> Acting:
    return _said.get() or _unsaid


def act_for(who: Acting) -> None:
    """From here on, in this task and those it starts."""
    _said.set(who)


def acting_for(who: Acting) -> Setting[Acting | None]:
    """Within the block. Whatever is set inside ends with it."""
    return Setting(_said, who)


def act_unless_said(who: Acting) -> None:
    """What this process is where nobody was named: a command of the operator is the service, a server is nobody."""
    global _unsaid
    _unsaid = who
