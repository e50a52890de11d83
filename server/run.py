"""How the application is served: uvicorn, with what its defaults leave open closed.

- no `Server` header, no access log (GraphiQL keeps queries, and so perhaps codes, in its page's address);
- `X-Forwarded-For` is believed only from the proxies that are named, because the address is what guesses are
  counted by;
- after SIGTERM accepted requests have `shutdown_seconds` to finish;
- no compression of WebSocket messages: it keeps buffers for every socket, and the length of secrets compressed
  beside chosen text tells them;
- no `limit_concurrency`: it closes connections instead of answering.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from socket import socket

import uvicorn
from starlette.types import ASGIApp

import limits
from server.http_protocol import BoundedHttpProtocol
from server.socket_protocol import BoundedSocketProtocol


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
        timeout_graceful_shutdown=limits.of("shutdown_seconds"),
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
            self.tell()


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
    # The schema and the libraries never go away. Out of the collector's sight they no longer add tens of
    # milliseconds to whatever request a full collection falls into.
    gc.collect()
    gc.freeze()
    Server(configuration(app, host, port, uds=uds, proxies=proxies), started).run()
