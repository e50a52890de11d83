"""/livez and /readyz, for whatever watches the process.

Alive means that the event loop answers; nothing else is asked, because restarting this process mends no database.
Ready means that every check of `ready()` holds, within `readiness_seconds`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import limits
from server import faults

Ready = Callable[[], Awaitable[Mapping[str, bool]]]


def routes(ready: Ready) -> list[Route]:
    async def livez(request: Request) -> Response:
        return _json(200, {"status": "ok"})

    async def readyz(request: Request) -> Response:
        checks = await _checks(ready, str(request.scope["sparekey.request_id"]))
        well = all(checks.values())
        return _json(200 if well else 503, {"status": "ok" if well else "unavailable", "checks": checks})

    return [Route("/livez", livez), Route("/readyz", readyz)]


async def _checks(ready: Ready, request_id: str) -> Mapping[str, bool]:
    try:
        async with asyncio.timeout(limits.of("readiness_seconds")):
            return dict(await ready())
    except TimeoutError:
        return {"answered_in_time": False}
    except Exception as exception:  # a check that fails by raising has failed
        faults.report(exception, request_id)
        return {"answered": False}


def _json(status: int, content: Mapping[str, object]) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json; charset=utf-8")
