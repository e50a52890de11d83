"""Founding a practice."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import limits
from authz.actor import Access
from authz.life import Party
from errors import InvalidInput, LimitReached
from models import Practice, StaffMember
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import wording
from operations.idempotency import Answer, Request, once
from operations.people import take_turns
from operations.record import About, Who, record

if TYPE_CHECKING:
    from schema.inputs import CreatePracticeInput


async def create_practice(access: Access, typed: CreatePracticeInput, request: Request) -> UUID:
    """Found a practice whose owner is the caller. Returns its id.

    Refuses, first match wins: IdempotencyConflict, InvalidInput, LimitReached.
    """

    async def work(connection: Connection) -> Answer:
        name, tax_id = wording.text("name", typed.name, 200), _tax_id(typed)
        await _refuse_too_many(connection, access)
        practice = await Practice.create(
            using_db=connection,
            name=name,
            kind=typed.kind.value,
            incorporated=typed.incorporated,
            group_tax_id=tax_id,
            created_at=access.now,
            created_by_id=access.actor.user_id,
        )
        await _make_owner(connection, access, practice.id)
        await _record(connection, access, practice)
        answer = {"practice": str(practice.id)}
        await request.remember(connection, answer)
        return answer

    answer = await once(request, lambda: unit_of_work(work))
    return UUID(answer["practice"])


def _tax_id(typed: CreatePracticeInput) -> str | None:
    """A true group is incorporated and has one tax id for the group; the others give none."""
    group = typed.kind.value == "true_group"
    if group and not typed.incorporated:
        raise InvalidInput("incorporated", "a true group is incorporated; choose another kind if it is not")
    if group and typed.group_tax_id is None:
        raise InvalidInput("groupTaxId", "a true group has one tax id; write it")
    return None if typed.group_tax_id is None else wording.tax_id("groupTaxId", typed.group_tax_id)


async def _refuse_too_many(connection: Connection, access: Access) -> None:
    await take_turns(connection, access.actor.user_id)
    most = limits.of("practices_per_user")
    owned = await Practice.filter(created_by_id=access.actor.user_id).using_db(connection).count()
    if owned >= most:
        raise LimitReached(most, "you own as many practices as one person may; ask the platform for more")


async def _make_owner(connection: Connection, access: Access, practice_id: UUID) -> None:
    user_id = access.actor.user_id
    await StaffMember.create(
        using_db=connection,
        practice_id=practice_id,
        user_id=user_id,
        roles=["owner"],
        added_at=access.now,
        added_by_id=user_id,
    )


async def _record(connection: Connection, access: Access, practice: Practice) -> None:
    who = Who(access.actor.name, access.actor.user_id, Party.PRACTICE, access.policy.digest, access.now)
    after = {"kind": practice.kind, "incorporated": practice.incorporated}
    about = About(practice_id=practice.id)
    await record(connection, who, "practice.created", about, f"founded {practice.name}"[:500], after=after)
