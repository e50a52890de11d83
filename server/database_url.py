"""What a database URL says of the way there, read as the driver reads it (`asyncpg.connect_utils`), without connecting.

It is decided from the URL and not from the connection: by then the password has been sent, and that one connection was
encrypted says nothing of the next, which a server may still refuse to encrypt.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

ENCRYPTED = ("require", "verify-ca", "verify-full")  # `prefer`, the default, goes on in clear text where it has to


def is_in_the_open(url: str, environment: Mapping[str, str]) -> bool:
    """Whether anything may cross a network in clear text. The environment holds the driver's PGHOST and PGSSLMODE."""
    parts = urlsplit(url)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    if query.get("sslmode", environment.get("PGSSLMODE", "")) in ENCRYPTED:
        return False
    if "service" in query or "PGSERVICE" in environment:  # a file says where, and this is not the one to read it
        return True
    named = _after_the_person(parts.netloc) or query.get("host") or environment.get("PGHOST") or ""
    return not all(map(_is_here, named.split(","))) if named else False


def _after_the_person(netloc: str) -> str:
    """At the first @, as the driver has it: a host behind a second one must not look like part of a password."""
    return unquote(netloc.partition("@")[2] if "@" in netloc else netloc)


def _is_here(host: str) -> bool:
    """A unix socket, or this machine's own address, with or without a port."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return host.startswith("/") or is_loopback(name)


def is_loopback(name: str) -> bool:
    """Whether only this machine can be meant."""
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
