"""A bare Starlette route that returns ready bytes: what no answer over HTTP from this stack can be faster than."""

from __future__ import annotations

import os
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONTENT = Path(os.environ["ANSWER"]).read_bytes()


async def answer(request: Request) -> Response:
    return Response(CONTENT, media_type="application/json")


if __name__ == "__main__":
    app = Starlette(routes=[Route("/graphql", answer, methods=["POST"])])
    uvicorn.run(
        app, port=int(os.environ["PORT"]), log_level="warning", access_log=False, loop="uvloop", http="httptools"
    )
