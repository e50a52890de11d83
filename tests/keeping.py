"""A world that is built once for each worker and put back before each test, because building it takes seconds."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from tests import callers
from tests.callers import World
from tests.town import START, Clock, build

SWEPT_AFTER = 25  # restorations; the rows that they leave behind make every look at a table longer


class Restorer:
    """Puts every row back as it was when this was made, so that no question sees what another one changed."""

    def __init__(self, session: asyncpg.Connection, tables: list[str]) -> None:
        self.session = session
        self.tables = tables
        rows = [f"DELETE FROM public.{table}; INSERT INTO public.{table} TABLE kept_{table}" for table in tables]
        self.script = "; ".join(["BEGIN", "SET LOCAL session_replication_role = replica", *rows, "COMMIT"])
        self.sweep = "VACUUM " + ", ".join(f"public.{table}" for table in tables)
        self.times = 0

    async def keep(self) -> None:
        made = [f"CREATE TEMP TABLE kept_{table} AS TABLE public.{table}" for table in self.tables]
        await self.session.execute("; ".join(made))

    async def __call__(self) -> None:
        await self.session.execute(self.script)
        self.times += 1
        if self.times % SWEPT_AFTER == 0:
            await self.session.execute(self.sweep)

    async def digest(self) -> list[tuple[str, int, str]]:
        """Every table as its number of rows and a sum over all of them: equal before and after means unchanged."""
        sums = (
            f"SELECT '{table}' AS name, count(*) AS rows, coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '')"
            f" AS sum FROM public.{table} t"
            for table in self.tables
        )
        found = await self.session.fetch(" UNION ALL ".join(sums))
        return sorted((row["name"], row["rows"], row["sum"]) for row in found)


@dataclass
class Kept:
    world: World
    restore: Restorer

    async def fresh(self) -> World:
        await (
            self.world.town.remembered.uses.close()
        )  # what the test before noted is not written in the midst of this one
        await self.restore()
        self.world.town.remembered.changes.anything_may_have()  # the rows were put back without triggers
        self.world.town.clock.now = START
        return self.world


async def keep(session: asyncpg.Connection) -> Kept:
    """Build the world in the database, which is empty, and remember it in temporary tables of this session."""
    world = await callers.build(build(Clock()))
    found = await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    restore = Restorer(session, [row["tablename"] for row in found if row["tablename"] != "tortoise_migrations"])
    await restore.keep()
    return Kept(world, restore)
