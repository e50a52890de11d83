"""Checks that need no database. Each says what to do, and OK where the setting is safe."""

from __future__ import annotations

import stat
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from server.database_url import is_loopback
from server.findings import OK, Finding, refused, refused_in_production, skipped, warning
from server.settings import Settings

# NIST SP 800-63B-4, 2.2.3 (AAL2): a session ends after 24 hours in all and after 1 hour without use, at the latest.
# Ours are 12 hours and 15 minutes unless the settings say otherwise, which is what 2.3.3 asks of AAL3.
IDLE_SECONDS_MOST = 3_600
ABSOLUTE_SECONDS_MOST = 86_400


def policies(load: Callable[[], object]) -> Finding:
    """Whatever is wrong with a set has said where; here it is enough to say that there is something."""
    from authz.check import PolicyRejected
    from server.policy_compiler import FilesKeepChanging

    try:
        load()
    except (PolicyRejected, FilesKeepChanging):
        return refused("the set does not load; `sparekey policy check` says where and what to write")
    return OK


def origins(settings: Settings) -> Finding:
    """A page over http can be exchanged by whoever stands between, and then asks with the person's cookie."""
    open_ones = [each for each in settings.origins if each.startswith("http://") and not is_loopback(_host_of(each))]
    if settings.development or not open_ones:
        return OK
    return refused(f"write https:// in SPAREKEY_ORIGINS instead of {' '.join(open_ones)}")


def address(settings: Settings) -> Finding:
    if settings.development or settings.proxies or is_loopback(settings.host.strip("[]")):
        return OK
    return warning(
        "HOST lets others reach the server straight, which speaks http: listen on 127.0.0.1, or name the reverse"
        " proxies that end TLS in SPAREKEY_PROXIES"
    )


def proxies(settings: Settings) -> Finding:
    """Guesses are counted by address; who may write any address is never counted."""
    everywhere = [each for each in settings.proxies if ip_network(each).prefixlen == 0]
    if not everywhere:
        return OK
    advice = f"name your reverse proxies in SPAREKEY_PROXIES instead of {' '.join(everywhere)}, which is everybody"
    return refused_in_production(settings, advice)


def graphiql(settings: Settings) -> Finding:
    if settings.development or not settings.graphiql:
        return OK
    return warning("SPAREKEY_GRAPHIQL is on: its page loads scripts of a public CDN; write off once you are done")


def public_url(settings: Settings) -> Finding:
    """People without a passkey go on signing in by password, so it is no more than a warning."""
    if settings.public_url:
        return OK
    return warning("write the site's address in SPAREKEY_PUBLIC_URL, as https://keys.example.org: passkeys need it")


def sessions(settings: Settings) -> Finding:
    if settings.session_idle_seconds > IDLE_SECONDS_MOST:
        return warning(f"write at most {IDLE_SECONDS_MOST} in SPAREKEY_SESSION_IDLE_SECONDS (NIST SP 800-63B-4, 2.2.3)")
    if settings.session_absolute_seconds > ABSOLUTE_SECONDS_MOST:
        most = f"write at most {ABSOLUTE_SECONDS_MOST} in SPAREKEY_SESSION_ABSOLUTE_SECONDS"
        return warning(f"{most} (NIST SP 800-63B-4, 2.2.3)")
    return OK


def issuers(settings: Settings) -> Finding:
    """Over http whoever stands between serves keys of their own and is everybody. Without domains an issuer where
    anybody may open an account speaks for every address."""
    open_ones = [url for each in settings.issuers for url in each.urls if url.startswith("http://")]
    if open_ones and not settings.development:
        return refused(f"write https:// in the file of SPAREKEY_ISSUERS instead of {' '.join(open_ones)}")
    unbounded = [each for each in settings.issuers if each.email_domains is None]
    wide = [each.issuer for each in unbounded if each.link_by_email or each.create_users]
    if not wide:
        return OK
    return warning(
        f"add email_domains to {' '.join(wide)} in the file of SPAREKEY_ISSUERS: it speaks for every address"
    )


def files(settings: Settings) -> Finding:
    """The pepper and the cluster are for one account. Others may see that the folder is there, and must not write to
    it: they could put a pepper of their own in it."""
    folder = settings.data_dir
    wrong = [f"chmod go= {folder / name}" for name in _private(settings) if _mode(folder / name) & 0o077]
    if _mode(folder) & stat.S_IWOTH:
        wrong.append(f"chmod o-w {folder}")
    if wrong:
        return refused_in_production(settings, "others have access to what is ours: " + "; ".join(wrong))
    return OK if folder.exists() else skipped("there is no DATA_DIR")


def _private(settings: Settings) -> list[str]:
    return (["pepper"] if settings.development else []) + ([] if settings.database_url else ["postgres"])


def _mode(path: Path) -> int:
    """Nothing where there is nothing."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def database_tls(settings: Settings) -> Finding:
    """Without `require` PostgreSQL's clients go on in clear text where the server, or who stands between, says so."""
    if settings.development or not settings.database_in_the_open:
        return OK
    if settings.database_plaintext:
        return warning("SPAREKEY_DATABASE_PLAINTEXT is on: everybody on the way to the database can read along")
    return refused(
        "add sslmode=verify-full (or require) to SPAREKEY_DATABASE_URL; where the network itself is encrypted, write"
        " SPAREKEY_DATABASE_PLAINTEXT=on"
    )


def _host_of(origin: str) -> str:
    return urlsplit(origin).hostname or ""
