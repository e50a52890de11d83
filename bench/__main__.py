"""`make bench`: run every measurement, or those that are named, and keep its table in `bench/results/`."""

from __future__ import annotations

import sys
from importlib import import_module

MEASUREMENTS = ("start", "decide", "credentials", "plan", "audit", "history", "depart", "page", "overload")


def main(names: list[str]) -> int:
    """One that fails says why and keeps the others from nothing."""
    if unknown := [name for name in names if name not in MEASUREMENTS]:
        print(f"there is no measurement {unknown[0]}; there are {', '.join(MEASUREMENTS)}", file=sys.stderr)
        return 2
    return max([_measure(name) for name in names or MEASUREMENTS])


def _measure(name: str) -> int:
    try:
        import_module(f"bench.{name}").main()
    except SystemExit as failure:
        if not isinstance(failure.code, str):  # somebody wants us to end
            raise
        print(f"bench {name}: {failure}", file=sys.stderr)
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
