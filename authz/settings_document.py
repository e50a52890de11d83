"""The settings that hold for the whole set: `policy.yaml`."""

from __future__ import annotations

from authz.draft import PolicyDraft
from authz.policy import LIMITS, SECOND_FACTOR, Engagements, Reviews, SignIn, Tokens, Training
from authz.shape import KEY, Cursor

LONGEST = 3650  # ten years: beyond that a number of days is a typing mistake
MOST_HOLDERS = 1_000_000_000  # more people than a limit could mean


def read_settings(cursor: Cursor) -> PolicyDraft | None:
    """The settings; None, with the reason in the report, when one of them is missing."""
    name, version = cursor.word("name"), cursor.word("version")
    sensitivities = cursor.words("sensitivities", KEY, required=True)
    tokens = _tokens(_part(cursor, "tokens"))
    engagements = _engagements(_part(cursor, "engagements"))
    reviews, training = _reviews(_part(cursor, "reviews")), _training(_part(cursor, "training"))
    limits, sign_in = _limits(cursor.below("limits", "limits")), _sign_in(cursor.below("sign_in", "sign_in"))
    if not (name and version and sensitivities and tokens and engagements and reviews and training):
        return None
    ordered = tuple(map(str, sensitivities))
    return PolicyDraft(str(name), str(version), ordered, tokens, engagements, reviews, training, limits, sign_in)


def _part(cursor: Cursor, key: str) -> Cursor | None:
    return cursor.below(key, key, required=True)


def _tokens(cursor: Cursor | None) -> Tokens | None:
    if cursor is None:
        return None
    tokens = Tokens(cursor.needed_whole("ttl_minutes", 1, 60), cursor.needed_whole("attempts", 1, 100))
    cursor.finish()
    return tokens


def _engagements(cursor: Cursor | None) -> Engagements | None:
    if cursor is None:
        return None
    longest = cursor.needed_whole("max_days", 1, LONGEST)
    if cursor.broken:
        longest = LONGEST
    days = cursor.needed_whole("default_days", 1, longest)
    notice = [cursor.as_whole(node, "a notice", 0, longest) for node in cursor.items("notice_days", required=True)]
    if cursor.has("notice_days") and not notice and not cursor.broken:
        cursor.problem("P124", cursor.key_spot("notice_days"), "notice_days is empty")
    grace = cursor.needed_whole("grace_days", 0, 365)
    cursor.finish()
    return Engagements(days, longest, tuple(day for day in notice if day is not None), grace)


def _reviews(cursor: Cursor | None) -> Reviews | None:
    if cursor is None:
        return None
    reviews = Reviews(cursor.needed_whole("default_days", 1, 3650), cursor.needed_whole("overdue_days", 0, 365))
    cursor.finish()
    return reviews


def _training(cursor: Cursor | None) -> Training | None:
    if cursor is None:
        return None
    training = Training(cursor.needed_whole("months", 1, 120))
    cursor.finish()
    return training


def _sign_in(cursor: Cursor | None) -> SignIn:
    """Optional for everybody where nothing is said."""
    if cursor is None:
        return SignIn()
    chosen = cursor.choice("second_factor", SECOND_FACTOR)
    cursor.finish()
    return SignIn(str(chosen or SignIn().second_factor))


def _limits(cursor: Cursor | None) -> dict[str, int]:
    """How much a change may do to live people before somebody has to approve it; what is not named is not bounded."""
    if cursor is None:
        return {}
    found = {name: cursor.whole(name, 0, MOST_HOLDERS) for name in LIMITS}
    cursor.finish()
    return {name: most for name, most in found.items() if most is not None}
