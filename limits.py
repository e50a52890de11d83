"""Every limit of the service in one table, so that nobody has to search the code for a number.

A row is a name, a value, its unit and why the value is what it is. `SPAREKEY_LIMIT_<NAME>` in the environment
replaces a value when the process starts; a name that is not in the table, or a value that is not a whole number
of at least 1, stops the start, because a limit that silently does not apply is worse than none.

Code asks `limits.of("document_depth")` where it needs the number. A new limit is one more row.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

PREFIX = "SPAREKEY_LIMIT_"


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    value: int
    unit: str
    reason: str


class LimitInvalid(ValueError):
    """The environment holds a limit that cannot work. The message names the variable."""


TABLE = (
    # What a request may bring.
    Limit("body_bytes", 65_536, "bytes", "the longest document a frontend ships is far below; memory per request"),
    Limit("body_seconds", 15, "seconds", "a body that trickles in holds a connection, not a worker"),
    Limit("header_seconds", 15, "seconds", "from the first byte, or from the connection, to complete headers"),
    Limit("header_bytes", 32_768, "bytes", "request line and headers together; browsers stay below 16 KiB"),
    Limit("session_reference_characters", 128, "characters", "256 bits in base64url are 43; longer is not ours"),
    Limit("bearer_characters", 8_192, "characters", "of an Authorization header: an issuer's token has thousands"),
    # What trusted issuers may say, and how long it is believed.
    Limit("issuer_token_seconds", 86_400, "seconds", "from iat to exp: a token that lasts longer is a password"),
    Limit("issuer_leeway_seconds", 60, "seconds", "between two clocks that are kept right"),
    Limit("issuer_fetch_seconds", 3, "seconds", "a request may wait for keys, and has ten seconds in all"),
    Limit("issuer_fetch_bytes", 262_144, "bytes", "a hundred keys with certificates; it is read into memory"),
    Limit("issuer_keys", 100, "keys", "an issuer has two to ten; each is made ready by the processor"),
    Limit(
        "issuer_keys_seconds_least", 300, "seconds", "how long fetched keys hold where the issuer does not say longer"
    ),
    Limit("issuer_keys_seconds_most", 3_600, "seconds", "a key that was taken back stops within the hour"),
    Limit("issuer_keys_seconds_down", 86_400, "seconds", "the last keys are used while the issuer cannot be reached"),
    Limit("issuer_refetch_seconds", 30, "seconds", "between two fetches that made-up key ids or failures cause"),
    Limit("issuer_waiting", 16, "requests", "at once for one issuer's keys: the others must find a place meanwhile"),
    Limit("issuer_tokens_remembered", 10_000, "tokens", "verified ones; some 1 kB for each"),
    Limit("websocket_message_bytes", 65_536, "bytes", "the same as a body"),
    # What a connection that stays may hold: a socket, or a stream of server-sent events.
    Limit("socket_init_seconds", 5, "seconds", "connection_init comes at once, or the socket is nobody's"),
    Limit("socket_operations", 20, "operations", "a page of the console watches two or three things"),
    Limit("socket_id_characters", 64, "characters", "an operation's id; clients send numbers or UUIDs"),
    Limit("socket_fragments", 256, "frames", "one message in more pieces is made to cost memory"),
    Limit("socket_send_seconds", 10, "seconds", "a client that reads nothing for so long is gone"),
    Limit("socket_close_seconds", 5, "seconds", "for the client to confirm a close"),
    Limit("sockets_per_session", 20, "sockets", "of one session in one worker: as many open tabs"),
    Limit("streams_per_session", 20, "streams", "the same; each stream is one operation"),
    Limit("exports_per_session", 2, "exports", "of a record, at once; each reads on as fast as its client does"),
    Limit("stream_heartbeat_seconds", 15, "seconds", "proxies close what is silent for 30 to 60"),
    Limit("watch_milliseconds", 800, "milliseconds", "what is watched ends within a second once it is not allowed"),
    Limit("step_seconds", 10, "seconds", "the answer to one operation, or to one event of a subscription"),
    # How many requests at once, and how long each.
    Limit("requests_running", 64, "requests", "four times the connections to the database keep them all at work"),
    Limit("requests_reserved", 8, "requests", "that many more for revocations and decisions: they always find a place"),
    Limit("connections_reserved", 2, "connections", "of those to the database, for the same and for probes"),
    Limit("requests_waiting", 128, "requests", "what two hundred milliseconds of work can still serve"),
    Limit("request_wait_milliseconds", 250, "milliseconds", "a longer wait is answered sooner by another worker"),
    Limit("request_seconds", 10, "seconds", "the deadline, down to the statement in the database"),
    Limit("decision_seconds", 1, "seconds", "the same for a decision: somebody stands in front of a closed door"),
    Limit("connections", 2_048, "connections", "then the one that has been silent longest makes way; memory"),
    Limit("idle_seconds", 75, "seconds", "proxies keep connections for 60 and must not meet one that just closed"),
    Limit("answer_seconds", 30, "seconds", "an answer that nobody reads is kept in memory"),
    # What a document may ask.
    Limit("document_tokens", 1_000, "tokens", "parsing and validation stay in tens of milliseconds"),
    Limit("document_comments", 1_000, "comments", "comments are not tokens, but the parser keeps them"),
    Limit("document_depth", 12, "levels", "the deepest page of the console has 9"),
    Limit("document_aliases", 30, "aliases", "aliases repeat a field's work under another name"),
    Limit("document_directives", 10, "directives", "@skip and @include, spread over a page"),
    Limit("document_overlaps", 10_000, "comparisons", "checking that fields merge is quadratic in repeated names"),
    Limit("document_nodes", 2_000, "nodes", "a budget for one answer, estimated before execution"),
    Limit("page_size_default", 20, "nodes", "what a list gives when neither first nor last is said"),
    Limit("page_size_most", 100, "nodes", "first and last go from 1 to this"),
    Limit("list_size_assumed", 5, "nodes", "what a list without pages counts in the estimate: roles, blockers"),
    Limit("tasks_named", 20, "tasks", "to suggest roles for: the shipped policy knows 11; unknown words cost a search"),
    # How many wrong attempts are borne: connect codes (the policy holds the limit for one token), then sign-in.
    Limit("wrong_codes_user_hour", 10, "attempts", "a person who mistypes needs two or three"),
    Limit("wrong_codes_user_day", 30, "attempts", "the same over a day"),
    Limit("wrong_codes_user_block", 86_400, "seconds", "then this user waits a day"),
    Limit("wrong_codes_practice_hour", 20, "attempts", "several people of one practice, together"),
    Limit("wrong_codes_practice_day", 50, "attempts", "the same over a day"),
    Limit("wrong_codes_practice_block", 3_600, "seconds", "then this practice pauses, and its owner's audit is told"),
    Limit("wrong_codes_address_window", 20, "attempts", "in ten minutes, from one address (an IPv6 /64)"),
    Limit("wrong_codes_address_block", 600, "seconds", "the first refusal; each further one doubles"),
    Limit("wrong_codes_address_block_most", 3_600, "seconds", "the longest refusal of an address"),
    Limit("wrong_codes_service_hour", 1_000, "attempts", "then only users with an earlier success may try"),
    Limit("wrong_passwords_account_hour", 10, "attempts", "NIST SP 800-63B-4 §3.2.2 allows up to 100"),
    Limit("wrong_passwords_account_block", 300, "seconds", "short, so that nobody can lock a person out for long"),
    Limit("wrong_passwords_account_block_most", 3_600, "seconds", "the longest refusal of an account"),
    Limit(
        "known_network_seconds",
        7_776_000,
        "seconds",
        "after signing in somewhere, nobody elsewhere locks you out there",
    ),
    Limit("sign_ups_address_hour", 100, "accounts", "of one network: each sign-up tells whether an e-mail is taken"),
    Limit("sign_ups_address_block", 3_600, "seconds", "then nobody signs up from there"),
    Limit("wrong_passwords_address_window", 100, "attempts", "in ten minutes, from one address: an office shares one"),
    Limit("wrong_passwords_address_block", 600, "seconds", "then this address waits"),
    Limit(
        "wrong_factors_user_hour", 10, "attempts", "second factors, after a right password; the app's next code helps"
    ),
    Limit(
        "wrong_factors_user_day", 30, "attempts", "three of a million codes are right: 1 in 11,000 guesses (NIST: 100)"
    ),
    Limit("wrong_factors_user_block", 900, "seconds", "then this person's second factors wait; a passkey does not"),
    Limit("wrong_factors_user_block_most", 14_400, "seconds", "the longest wait: a working day is not lost"),
    Limit("enrolment_seconds", 600, "seconds", "from an app's secret to its first code, or it is begun anew"),
    Limit("challenge_seconds", 300, "seconds", "to answer with a passkey; browsers give up after 60 to 300"),
    Limit("challenges_per_address", 50, "challenges", "open for signing in, of one network: an office shares one"),
    # What one caller may own.
    Limit("factors_per_user", 10, "factors", "apps and passkeys: some devices, and one in the safe"),
    Limit("live_tokens_per_member", 5, "tokens", "nobody reads out more at once"),
    Limit("api_clients_per_agent", 50, "clients", "with live keys, at most two each; a partner runs a few systems"),
    Limit("api_key_days_default", 90, "days", "keys that are not rotated are keys that nobody could replace in need"),
    Limit("api_key_days_most", 365, "days", "a key that was lost unseen ends with the year (NIST SP 800-57-1 §5.3)"),
    Limit("access_token_seconds", 3_600, "seconds", "an hour is what clients of OAuth expect; never beyond its key"),
    Limit("access_tokens_per_key", 100, "tokens", "then the oldest ends; each worker of a platform fetches its own"),
    Limit(
        "invitation_seconds",
        3_600,
        "seconds",
        "the code is handed over at once; what lies about longer is found by others",
    ),
    Limit(
        "open_invitations_per_place", 100, "invitations", "of a practice or an agent: a large office on its first day"
    ),
    Limit("practices_per_user", 50, "practices", "an owner with more is a mistake or an abuse"),
    Limit("agents_per_user", 20, "agents", "each one costs an operator a verification"),
    Limit("members_per_agent", 5_000, "members", "the largest billing companies have some thousand people"),
    Limit("members_per_engagement", 200, "members", "who works there is one list; a practice has far fewer outsiders"),
    Limit("step_up_seconds", 600, "seconds", "how recent the last authentication is for a sensitive grant"),
    Limit("idempotency_seconds", 86_400, "seconds", "how long a repeated request gets the first answer"),
    # How much of refused attempts is recorded.
    Limit("denials_seconds", 3_600, "seconds", "of one person and permission in a practice one event; the next counts"),
    Limit(
        "denials_practice_day", 50, "events", "of refused attempts in a practice's record: nobody fills it with them"
    ),
    Limit("denials_remembered", 1_000, "attempts", "of one worker, counted until they are written; some 1 kB for each"),
    # What nobody asks for.
    Limit("sweep_seconds", 60, "seconds", "how late an event tells what time alone brought about"),
    Limit("sweep_engagements", 20_000, "engagements", "looked at in one go, after a change of the policy's periods"),
    # What is answered and kept.
    Limit("errors_returned", 5, "errors", "more than this helps nobody, and makes answers of any size"),
    Limit("message_characters", 300, "characters", "an error's message may repeat a name of the document"),
    Limit("document_cache_tokens", 50_000, "tokens", "about 30 MB of parsed documents a worker"),
    Limit("seats_remembered", 20_000, "seats", "of the people who are at work on one worker; some 2 kB for each"),
    Limit("agents_remembered", 5_000, "agents", "that pages show; some 2 kB for each"),
    Limit("same_requests", 10_000, "requests", "whose answers are found by their bytes; some 2 kB for each"),
    Limit("answer_cache_bytes", 33_554_432, "bytes", "answers given again while nothing that they show has changed"),
    Limit("readiness_seconds", 2, "seconds", "probes usually give up after 3"),
    Limit("shutdown_seconds", 10, "seconds", "accepted requests finish within it after SIGTERM"),
)


def read(environment: Mapping[str, str]) -> Mapping[str, Limit]:
    """The table by name, with what the environment replaces."""
    limits = {limit.name: limit for limit in TABLE}
    for variable in sorted(environment):
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            limits[name] = _replaced(limits.get(name), variable, environment[variable])
    return MappingProxyType(limits)


def _replaced(limit: Limit | None, variable: str, text: str) -> Limit:
    if limit is None:
        raise LimitInvalid(f"{variable}: there is no such limit")
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) >= 1):
        raise LimitInvalid(f"{variable}: write a whole number of at least 1 ({limit.unit})")
    return replace(limit, value=int(text))


LIMITS = read(os.environ)


def of(name: str) -> int:
    return LIMITS[name].value
