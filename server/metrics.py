"""/metrics for Prometheus: the policy this worker decides by, how its reloads went, how busy it is, how requests ended.

Counting is a dictionary; the library is imported when somebody scrapes, because its import costs a start a tenth of a
second. Labels come from closed lists and hold nothing about a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server.room import REASONS, Room

if TYPE_CHECKING:
    from prometheus_client.core import Metric

OK = "OK"  # among the requests, beside the closed list of codes
RELOADS = ("activated", "unchanged", "rejected", "failed")


@dataclass(slots=True)
class Metrics:
    """`digest` is the set's meaning, empty until there is one; `reload_failing` is true while the last try failed."""

    digest: str = ""
    activation: int = 0
    reload_failing: bool = False
    reloads: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    given_again: int = 0
    room: Room = field(default_factory=Room)

    def count_request(self, code: str) -> None:
        """`code` is one of the closed list of `http_errors.py`, or OK."""
        self.requests[code] += 1

    def count_given_again(self) -> None:
        """An answer from memory is a request that ended well, too."""
        self.requests[OK] += 1
        self.given_again += 1

    def reloaded(self, outcome: str) -> None:
        self.reloads[outcome] += 1
        self.reload_failing = outcome in ("rejected", "failed")


def route(metrics: Metrics) -> Route:
    async def answer(request: Request) -> Response:
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

        registry = CollectorRegistry()
        registry.register(_Snapshot(lambda: _families(metrics)))
        ProcessCollector(registry=registry)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", answer)


class _Snapshot:
    """What the library calls a collector."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self.collect = collect


def _families(metrics: Metrics) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily

    info = InfoMetricFamily("sparekey_policy", "The set that this worker decides by.")
    info.add_metric([], {"digest": metrics.digest})
    yield info
    yield GaugeMetricFamily("sparekey_policy_activation", "The number of its activation.", metrics.activation)
    failing = "1 while the last attempt to load another set failed and the last good one stays."
    yield GaugeMetricFamily("sparekey_policy_reload_failing", failing, int(metrics.reload_failing))
    reloads = CounterMetricFamily("sparekey_policy_reloads", "Attempts to load a set.", labels=["outcome"])
    for outcome in RELOADS:
        reloads.add_metric([outcome], metrics.reloads[outcome])
    yield reloads
    yield from _room(metrics.room)
    requests = CounterMetricFamily("sparekey_graphql_requests", "GraphQL requests, by how they ended.", labels=["code"])
    for code, count in sorted(metrics.requests.items()):
        requests.add_metric([code], count)
    yield requests
    again = "Of these, answered from memory: nothing that the answer shows had changed."
    yield CounterMetricFamily("sparekey_graphql_given_again", again, metrics.given_again)


def _room(room: Room) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    yield GaugeMetricFamily("sparekey_requests_running", "Requests that have a place.", room.running)
    yield GaugeMetricFamily("sparekey_requests_waiting", "Requests that wait for a place.", room.waiting)
    refused = CounterMetricFamily(
        "sparekey_requests_refused", "Requests without a place, by reason.", labels=["reason"]
    )
    for reason in REASONS:
        refused.add_metric([reason], room.refused[reason])
    yield refused
