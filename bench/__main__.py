"""`make bench`: run every measurement and print its table."""

from __future__ import annotations

from bench import decide, plan, start

start.main()
print()
decide.main()
print()
plan.main()
