"""Whose tokens are accepted: the file that SPAREKEY_ISSUERS names, read as strictly as policies are.

    - issuer: https://login.example.org       exactly as its tokens write `iss`
      audience: sparekey                      what they must name in `aud`
      jwks_url: https://login.example.org/keys   else from <issuer>/.well-known/openid-configuration
      link_by_email: false                    who has an account with an address that the issuer verified becomes that,
                                              and its password and sessions end: whoever chose it may be another
      create_users: false                     who has none gets one
      email_domains: [example.org]            addresses that the issuer may speak for; without it, all
      proves_sign_in: false                   when and how somebody signed in there (`auth_time`, `amr`) counts here as
                                              a recent proof and as a second factor

An unknown key is refused: a `link_by_emial` that silently does nothing is a riddle, an `audiance` a hole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from authz.diagnostic import Report, SourceFile
from authz.yaml_subset import Fields, Items, Node, Text, parse

KEYS = ("issuer", "audience", "jwks_url", "link_by_email", "create_users", "email_domains", "proves_sign_in")
URL_CHARACTERS = 255  # as many as the table of identities holds
FILE_BYTES = 65_536
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


class IssuersInvalid(Exception):
    """Something in the file cannot work. The message says where and what to write; nothing in the file is secret."""


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """`email_domains` is None where the issuer may speak for any address."""

    issuer: str
    audience: str
    jwks_url: str | None = None
    link_by_email: bool = False
    create_users: bool = False
    email_domains: frozenset[str] | None = None
    proves_sign_in: bool = False

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.issuer,) if self.jwks_url is None else (self.issuer, self.jwks_url)

    def speaks_for(self, email: str) -> bool:
        return self.email_domains is None or email.rpartition("@")[2] in self.email_domains


def named(name: str) -> tuple[TrustedIssuer, ...]:
    """Of the file with this path; none of no file. Raises IssuersInvalid."""
    return read(Path(name).expanduser().absolute()) if name else ()


def read(file: Path) -> tuple[TrustedIssuer, ...]:
    """Raises IssuersInvalid."""
    try:
        with file.open("rb") as opened:
            text = opened.read(FILE_BYTES + 1).decode()
    except (OSError, ValueError):
        raise IssuersInvalid("write the path of a YAML file that this account may read") from None
    if len(text) > FILE_BYTES:
        raise IssuersInvalid(f"write a file of at most {FILE_BYTES} bytes")
    return issuers(file.name, text)


def issuers(name: str, text: str) -> tuple[TrustedIssuer, ...]:
    """Raises IssuersInvalid at the first thing that is wrong."""
    report = Report()
    root = parse(SourceFile(name, tuple(text.splitlines())), text, report)
    if report.found:
        first = report.sorted()[0]
        raise IssuersInvalid(f"{first.file}:{first.line}: {first.message}")
    if not isinstance(root, Items) or not root.items:
        raise IssuersInvalid(f"{name}: write a list of issuers, each beginning with `- issuer: https://…`")
    found = tuple(_issuer(node) for node in root.items)
    if len({each.issuer for each in found}) < len(found):
        raise IssuersInvalid(f"{name}: write each issuer once; of two nobody could say which audience counts")
    return found


def _issuer(node: Node) -> TrustedIssuer:
    if not isinstance(node, Fields):
        raise _invalid(node, f"write the keys {', '.join(KEYS)}")
    for key, (word, _) in node.entries.items():
        if key not in KEYS:
            raise _invalid(word, f"write one of {', '.join(KEYS)}, and no other key")
    jwks_url = node.entries.get("jwks_url")
    domains = node.entries.get("email_domains")
    return TrustedIssuer(
        issuer=_url(_required(node, "issuer")),
        audience=_text(_required(node, "audience")),
        jwks_url=None if jwks_url is None else _url(jwks_url[1]),
        link_by_email=_switch(node, "link_by_email"),
        create_users=_switch(node, "create_users"),
        email_domains=None if domains is None else frozenset(_domains(domains[1])),
        proves_sign_in=_switch(node, "proves_sign_in"),
    )


def _required(node: Fields, key: str) -> Node:
    if key not in node.entries:
        raise _invalid(node, f"add the key {key}")
    return node.entries[key][1]


def _text(node: Node) -> str:
    if not isinstance(node, Text) or not 1 <= len(node.text) <= URL_CHARACTERS or not node.text.isprintable():
        raise _invalid(node, f"write a text of 1 to {URL_CHARACTERS} characters")
    return node.text


def _url(node: Node) -> str:
    """Kept as it stands: `iss` is compared character by character (OpenID Connect Core 1.0 §3.1.3.7)."""
    text = _text(node)
    try:
        parts = urlsplit(text)
        well_formed = parts.scheme in ("https", "http") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        well_formed = False
    if not well_formed or " " in text or not text.isascii() or "@" in parts.netloc or "?" in text or "#" in text:
        raise _invalid(node, "write a URL such as https://login.example.org, without a user, a query or a fragment")
    return text


def _switch(node: Fields, key: str) -> bool:
    if key not in node.entries:
        return False
    value = node.entries[key][1]
    if not isinstance(value, Text) or not value.plain or value.text not in ("true", "false"):
        raise _invalid(value, f"write {key}: true or {key}: false")
    return value.text == "true"


def _domains(node: Node) -> Iterator[str]:
    if not isinstance(node, Items) or not node.items:
        raise _invalid(node, "write a list of domains such as [example.org]")
    for item in node.items:
        if not isinstance(item, Text) or not _DOMAIN.fullmatch(item.text):
            raise _invalid(item, "write a domain in lower case such as example.org")
        yield item.text


def _invalid(node: Node, instead: str) -> IssuersInvalid:
    return IssuersInvalid(f"{node.spot.file.name}:{node.spot.line}: {instead}")
