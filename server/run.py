"""How the application is served: uvicorn, with what its defaults leave open closed.

- no `Server` header, no access log (GraphiQL keeps queries, and so perhaps codes, in its page's address);
- `X-Forwarded-For` is believed only from the proxies that are named, because the address is what guesses are
  counted by;
- after SIGTERM everything ends within `shutdown_seconds`: accepted requests first, then the service itself;
- an idle connection outlives the one that a proxy keeps, which must not send into a closed one;
- no compression of WebSocket messages: it keeps buffers for every socket, and the length of secrets compressed
  beside chosen text tells them;
- as many open files as `connections` needs, where the system allows them: a shell's 1,024 are too few;
- no `limit_concurrency`: it closes connections instead of answering.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
from collections.abc import Callable, Sequence
from functools import partial
from socket import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp

import limits
from server.http_protocol import BoundedHttpProtocol
from server.socket_protocol import BoundedSocketProtocol

OTHER_FILES = 256  # libraries, the database, policies
COLLECTED_AFTER = (20_000, 20, 15)  # of Python's three generations; 700, 10 and 10 are its defaults
HANDLES = 8  # so many connections are accepted in a turn of the loop
CLOSING_SECONDS = 2  # for units of work without a caller, the database and the interpreter


def configuration(
    app: ASGIApp, host: str = "127.0.0.1", port: int = 8000, *, uds: str | None = None, proxies: Sequence[str] = ()
) -> uvicorn.Config:
    """`proxies`: addresses of the reverse proxies in front of the server. `uds`: a unix socket instead of a port."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        uds=uds,
        server_header=False,
        access_log=False,
        log_level="warning",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        ws=BoundedSocketProtocol,
        ws_max_size=limits.of("websocket_message_bytes"),
        ws_per_message_deflate=False,
        http=BoundedHttpProtocol,
        timeout_keep_alive=limits.of("idle_seconds"),
        timeout_graceful_shutdown=max(1, limits.of("shutdown_seconds") - CLOSING_SECONDS),
        lifespan="on",
    )


class Server(uvicorn.Server):
    """Says when it listens, which is when a person at the terminal may be told the address."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self.tell = started

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            if self.config.uds is None:  # behind a proxy that keeps its connections
                await self._accept_more_at_once()
            self.tell()
            _spare_the_collector()

    async def _accept_more_at_once(self) -> None:
        """libuv accepts one connection for each handle in a turn of its loop, and a busy loop has few turns: of 700 who
        came at once the last were accepted after a second. So there are several handles on the same socket."""
        loop = asyncio.get_running_loop()
        kind: Any = self.config.http_protocol_class
        make = partial(
            kind,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            _loop=loop,
        )
        listening = [found for each in self.servers for found in each.sockets]
        for found in listening * (HANDLES - 1):
            more = socket(fileno=os.dup(found.fileno()))
            self.servers.append(await loop.create_server(make, sock=more, backlog=self.config.backlog))


def serve(
    app: ASGIApp,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    uds: str | None = None,
    proxies: Sequence[str] = (),
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT; call `started` once connections are accepted."""
    _allow_files()
    Server(configuration(app, host, port, uds=uds, proxies=proxies), started).run()


def _spare_the_collector() -> None:
    """The schema and the libraries never go away; out of the collector's sight they cost no request anything. And of
    what is left a whole collection takes a tenth of a second, which under load came every second: now and then is
    enough, because the younger generations find nearly everything."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


def _allow_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = limits.of("connections") + OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
