"""Many callers at a fixed rate, in a process of their own: they send when it is time, answered or not.

Run as `python -m bench.crowd PORT RATE SECONDS < request`; prints one JSON object. A rate of 0 keeps CONNECTIONS
busy instead, each sending again when it has its answer: that finds out how much the server can do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict

import uvloop

CONNECTIONS = 64  # with a place each, when the rate is 0
MOST = 1_000  # beyond this many unanswered requests the callers themselves are the bottleneck
TICK_SECONDS = 0.002
WARM_UP = 0.2  # of the time, not counted


class Line(asyncio.Protocol):
    """One connection, one request at a time. The answer's end is found by its length."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.received = b""
        self.sent_at = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # one of TCP
        self.transport = transport
        self.send()

    def send(self) -> None:
        self.sent_at = time.monotonic()
        self.transport.write(self.crowd.request)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, found, body = self.received.partition(b"\r\n\r\n")
        if found and len(body) >= _length(head):
            self.crowd.answered(int(head[9:12]), time.monotonic() - self.sent_at)
            self.received = b""
            self.crowd.next(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.crowd.lost += self in self.crowd.lines
        self.crowd.lines.discard(self)


def _length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])


class Crowd:
    def __init__(self, port: int, rate: float, seconds: float, request: bytes) -> None:
        self.port, self.rate, self.seconds, self.request = port, rate, seconds, request
        self.lines: set[Line] = set()
        self.idle: list[Line] = []
        self.latencies: dict[int, list[float]] = defaultdict(list)
        self.counting_from = time.monotonic() + seconds * WARM_UP
        self.opened = self.lost = self.not_sent = 0

    def answered(self, status: int, latency: float) -> None:
        if time.monotonic() >= self.counting_from:
            self.latencies[status].append(latency)

    def next(self, line: Line) -> None:
        if self.rate:
            self.idle.append(line)
        else:
            line.send()

    async def one_more(self) -> None:
        """Send once, on a connection that has its answer or on a new one."""
        if self.idle:
            self.idle.pop().send()
        elif len(self.lines) < MOST:
            await self._open()
        else:
            self.not_sent += 1

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: Line(self), "127.0.0.1", self.port)
        self.lines.add(line)

    async def come(self) -> None:
        began = time.monotonic()
        if not self.rate:
            await asyncio.gather(*(self._open() for _ in range(CONNECTIONS)))
        sent = 0
        while (elapsed := time.monotonic() - began) < self.seconds:
            due = int(elapsed * self.rate) - sent
            for _ in range(due):
                await self.one_more()
            sent += due
            await asyncio.sleep(TICK_SECONDS)

    def told(self) -> dict[str, object]:
        counted = self.seconds * (1 - WARM_UP)
        found = {str(status): [len(each) / counted, *_percentiles(each)] for status, each in self.latencies.items()}
        return {"answers": found, "lost": self.lost, "not_sent": self.not_sent, "connections": len(self.lines)}


def _percentiles(latencies: list[float]) -> list[float]:
    """The median and the 99th, in milliseconds."""
    ordered = sorted(latencies)
    return [1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99)]


def main() -> None:
    port, rate, seconds = sys.argv[1:]
    crowd = Crowd(int(port), float(rate), float(seconds), sys.stdin.buffer.read())
    uvloop.run(crowd.come())
    print(json.dumps(crowd.told()))


if __name__ == "__main__":
    main()
