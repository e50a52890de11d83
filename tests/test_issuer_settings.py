"""The file of trusted issuers: what it may say, and what is wrong with it, in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.findings import Outcome
from server.issuer_settings import IssuersInvalid, TrustedIssuer, issuers
from server.settings import SettingsInvalid
from tests.test_checks import outcomes, settings_of

LEAST = "- issuer: https://id.example\n  audience: sparekey\n"
WHOLE = (
    "- issuer: https://id.example/realms/clinic/\n  audience: sparekey\n  jwks_url: https://keys.example/jwks\n"
    "  link_by_email: true\n  create_users: true\n  email_domains: [clinic.example, mail.clinic.example]\n"
    "  proves_sign_in: true\n"
)
WRONG = {
    "nothing": ("", "the file is empty"),
    "no list": ("issuer: https://id.example", "write a list of issuers"),
    "an empty list": ("[]", "write a list of issuers"),
    "a text for an issuer": ("- https://id.example", "write the keys issuer, audience"),
    "no audience": ("- issuer: https://id.example", "add the key audience"),
    "no issuer": ("- audience: sparekey", "add the key issuer"),
    "an empty audience": ("- issuer: https://id.example\n  audience: ''", "write a text of 1 to 255"),
    "an unknown key": (LEAST + "  audiance: x", "x.yaml:3: write one of issuer, audience"),
    "a key twice": (LEAST + "  audience: other", "audience is here twice"),
    "an issuer twice": (LEAST + LEAST, "write each issuer once"),
    "an anchor": (LEAST + "  email_domains: &a [id.example]", "anchors are not read"),
    "yes for true": (LEAST + "  link_by_email: yes", "write link_by_email: true or"),
    "a number for a switch": (LEAST + "  proves_sign_in: 1", "write proves_sign_in: true or"),
    "a quoted true": (LEAST + "  create_users: 'true'", "write create_users: true or"),
    "a domain as a text": (LEAST + "  email_domains: id.example", "write a list of domains"),
    "no domains": (LEAST + "  email_domains: []", "write a list of domains"),
    "a domain in capitals": (LEAST + "  email_domains: [Id.example]", "write a domain in lower case"),
    "a domain with an at": (LEAST + "  email_domains: ['@id.example']", "write a domain in lower case"),
    "another scheme": ("- issuer: ftp://id.example\n  audience: a", "write a URL such as"),
    "no scheme": ("- issuer: id.example\n  audience: a", "write a URL such as"),
    "a user in the URL": ("- issuer: https://me:pw@id.example\n  audience: a", "write a URL such as"),
    "a query": ("- issuer: https://id.example?a=b\n  audience: a", "write a URL such as"),
    "a port that is none": ("- issuer: https://id.example:99999\n  audience: a", "write a URL such as"),
    "an issuer of 256 characters": (f"- issuer: https://{'a' * 248}\n  audience: a", "write a text of 1 to 255"),
    "a file that is not YAML": ("- issuer: [", "not YAML"),
}


def test_an_issuer_needs_two_keys_and_may_do_nothing_to_accounts_unless_told() -> None:
    assert issuers("x.yaml", LEAST) == (TrustedIssuer("https://id.example", "sparekey"),)


def test_every_key_is_read_as_it_stands() -> None:
    (found,) = issuers("x.yaml", WHOLE)
    domains = frozenset({"clinic.example", "mail.clinic.example"})
    issuer, keys = "https://id.example/realms/clinic/", "https://keys.example/jwks"
    assert found == TrustedIssuer(issuer, "sparekey", keys, True, True, domains, True)
    assert found.speaks_for("amy@clinic.example")
    assert not found.speaks_for("amy@evil.example")
    assert not found.speaks_for("amy@sub.clinic.example")


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=WRONG)
def test_what_cannot_work_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(IssuersInvalid, match=said.replace("[", r"\[")):
        issuers("x.yaml", text)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"# " + b"a" * 70_000])
def test_a_file_that_cannot_be_read_stops_the_start_and_names_its_variable(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "issuers.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="SPAREKEY_ISSUERS: write"):
        settings_of(tmp_path, SPAREKEY_ISSUERS=str(file))


@pytest.mark.parametrize(
    ("text", "in_production", "in_development"),
    [
        (LEAST, None, None),
        (WHOLE, None, None),
        (LEAST.replace("https", "http"), Outcome.REFUSED, None),
        (LEAST + "  jwks_url: http://127.0.0.1/keys", Outcome.REFUSED, None),
        (LEAST + "  link_by_email: true", Outcome.WARNING, Outcome.WARNING),
        (LEAST + "  create_users: true", Outcome.WARNING, Outcome.WARNING),
    ],
)
def test_keys_over_http_stop_production_and_an_issuer_of_every_address_is_spoken_of(
    tmp_path: Path, text: str, in_production: Outcome | None, in_development: Outcome | None
) -> None:
    file = tmp_path / "issuers.yaml"
    file.write_text(text)
    for production, expected in ((True, in_production), (False, in_development)):
        found = outcomes(settings_of(tmp_path, production, SPAREKEY_ISSUERS=str(file)))
        assert found == ({} if expected is None else {"issuers": expected})
