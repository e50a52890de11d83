"""What is nobody's fault but ours: logged once, with an id, and without anything a caller typed.

An exception's text may repeat a value (`invalid literal …`, a database's `DETAIL`), and so may a local variable, so
neither is logged: types, files, lines and functions are. The id stands in the answer and in the log.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Iterator, Sequence

LOGGER = logging.getLogger("sparekey.faults")


def report(exception: BaseException, request_id: str, path: Sequence[str | int] = ()) -> str:
    """Log an unexpected exception. Returns the id by which it can be found."""
    fault_id = uuid.uuid4().hex
    places = list(_places(exception))
    LOGGER.error(
        "internal error %s: %s at %s",
        fault_id,
        type(exception).__name__,
        places[-1] if places else "an unknown place",
        extra={
            "code": "INTERNAL",
            "fault_id": fault_id,
            "request_id": request_id,
            "path": ".".join(str(step) for step in path),
            "exceptions": [type(each).__qualname__ for each in _chain(exception)],
            "places": places,
        },
    )
    return fault_id


def _chain(exception: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it was raised from, the outermost first."""
    seen: set[int] = set()
    while exception is not None and id(exception) not in seen:
        seen.add(id(exception))
        yield exception
        exception = exception.__cause__ or (None if exception.__suppress_context__ else exception.__context__)


def _places(exception: BaseException) -> Iterator[str]:
    """Where it happened, the innermost place of the outermost exception last."""
    for each in reversed(list(_chain(exception))):
        for frame in traceback.extract_tb(each.__traceback__):
            yield f"{frame.filename}:{frame.lineno} {frame.name}"
