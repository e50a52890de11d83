"""Everything the environment may change, read in one place, so that no other file asks the environment.

A wrong value stops the start with the variable's name and what to write instead. The value itself is never
repeated: it may be a password.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from server import issuer_settings, public_url
from server.database_url import is_in_the_open

CHECKOUT = Path(__file__).resolve().parent.parent
_HOST = re.compile(r"([a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(:[1-9][0-9]{0,4})?")
PEPPER_BYTES = 32  # as long as the sha256 it keys (NIST SP 800-107r1, 5.3.4)
PEPPER_CHARACTERS = 8  # different ones: 32 random decimal digits have fewer once in 800 times, hexadecimal ones never


class SettingsInvalid(Exception):
    """One variable holds something that cannot work."""

    def __init__(self, variable: str, instead: str) -> None:
        super().__init__(f"{variable}: {instead}")
        self.variable = variable
        self.instead = instead


@dataclass(frozen=True, slots=True)
class Settings:
    database_url: str | None = field(repr=False)  # None: the embedded PostgreSQL; may hold a password
    database_owner_url: str | None = field(repr=False)  # the role that owns the tables, for migrations
    database_in_the_open: bool  # the way to it may be a network, and not encrypted
    database_plaintext: bool  # which somebody has allowed
    data_dir: Path
    host: str
    port: int
    mode: str  # development | production
    pepper: bytes = field(repr=False)
    policies: Path
    origins: tuple[str, ...]
    issuers: tuple[issuer_settings.TrustedIssuer, ...]  # whose tokens are accepted as bearers'
    proxies: tuple[str, ...]  # addresses of our own reverse proxies, whose X-Forwarded-For is believed
    documents: tuple[Path, ...]  # manifests of stored documents
    documents_only: bool
    graphiql: bool
    pool_min: int
    pool_max: int
    session_idle_seconds: int
    session_absolute_seconds: int
    public_url: str | None  # the site's origin, which passkeys are made for

    @property
    def development(self) -> bool:
        return self.mode == "development"


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. An empty variable counts as absent, as `PORT= make serve` means it to."""
    given = {name: value for name, value in (environment or os.environ).items() if value.strip()}
    mode = _one_of(given, "SPAREKEY_MODE", ("development", "production"))
    data_dir = Path(given.get("DATA_DIR", ".data")).expanduser().absolute()
    pool_min, pool_max = _pool(given)
    idle, absolute = _session(given)
    documents, documents_only = _documents(given)
    url = _database_url(given)
    return Settings(
        database_url=url,
        database_owner_url=_database_url(given, "SPAREKEY_DATABASE_OWNER_URL"),
        database_in_the_open=url is not None and is_in_the_open(url, given),
        database_plaintext=_switch(given, "SPAREKEY_DATABASE_PLAINTEXT", False),
        data_dir=data_dir,
        host=given.get("HOST", "127.0.0.1").strip(),
        port=_number(given, "PORT", 8000, 1, 65535),
        mode=mode,
        pepper=_pepper(given, mode, data_dir),
        policies=_folder(given, "SPAREKEY_POLICIES", CHECKOUT / "policies"),
        origins=_origins(given),
        issuers=_issuers(given),
        proxies=_proxies(given),
        documents=documents,
        documents_only=documents_only,
        graphiql=_graphiql(given, mode, documents_only),
        pool_min=pool_min,
        pool_max=pool_max,
        session_idle_seconds=idle,
        session_absolute_seconds=absolute,
        public_url=_public_url(given, mode),
    )


def _one_of(given: Mapping[str, str], variable: str, allowed: tuple[str, ...]) -> str:
    value = given.get(variable, allowed[0]).strip()
    if value not in allowed:
        raise SettingsInvalid(variable, f"write {' or '.join(allowed)}")
    return value


def _switch(given: Mapping[str, str], variable: str, default: bool) -> bool:
    return default if variable not in given else _one_of(given, variable, ("on", "off")) == "on"


def _number(given: Mapping[str, str], variable: str, default: int, least: int, most: int) -> int:
    text = given.get(variable, str(default)).strip()
    if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
        raise SettingsInvalid(variable, f"write a whole number from {least} to {most}")
    return int(text)


def _public_url(given: Mapping[str, str], mode: str) -> str | None:
    default = f"http://localhost:{_number(given, 'PORT', 8000, 1, 65535)}" if mode == "development" else ""
    text = given.get("SPAREKEY_PUBLIC_URL", default)
    origin = public_url.origin_of(text)
    if text and origin is None:
        raise SettingsInvalid("SPAREKEY_PUBLIC_URL", public_url.INSTEAD)
    return origin


def _folder(given: Mapping[str, str], variable: str, default: Path) -> Path:
    folder = Path(given.get(variable, str(default))).expanduser().absolute()
    if not folder.is_dir():
        raise SettingsInvalid(variable, "write the path of a folder that exists")
    return folder


def _pool(given: Mapping[str, str]) -> tuple[int, int]:
    smallest = _number(given, "SPAREKEY_POOL_MIN", 2, 1, 1000)
    largest = _number(given, "SPAREKEY_POOL_MAX", max(16, smallest), 1, 1000)
    if largest < smallest:
        raise SettingsInvalid("SPAREKEY_POOL_MAX", "write a number that is not below SPAREKEY_POOL_MIN")
    return smallest, largest


def _session(given: Mapping[str, str]) -> tuple[int, int]:
    idle = _number(given, "SPAREKEY_SESSION_IDLE_SECONDS", 900, 60, 86_400)
    absolute = _number(given, "SPAREKEY_SESSION_ABSOLUTE_SECONDS", 43_200, 60, 604_800)
    if absolute < idle:
        raise SettingsInvalid(
            "SPAREKEY_SESSION_ABSOLUTE_SECONDS", "write a number that is not below SPAREKEY_SESSION_IDLE_SECONDS"
        )
    return idle, absolute


def _documents(given: Mapping[str, str]) -> tuple[tuple[Path, ...], bool]:
    """Commas between: a path may hold a space. What is in the files is looked at by `stored.py`."""
    names = (name.strip() for name in given.get("SPAREKEY_DOCUMENTS", "").split(","))
    files = tuple(Path(name).expanduser().absolute() for name in names if name)
    only = _switch(given, "SPAREKEY_DOCUMENTS_ONLY", False)
    if only and not files:
        raise SettingsInvalid("SPAREKEY_DOCUMENTS_ONLY", "write off, or name manifest files in SPAREKEY_DOCUMENTS")
    return files, only


def _graphiql(given: Mapping[str, str], mode: str, documents_only: bool) -> bool:
    wanted = _switch(given, "SPAREKEY_GRAPHIQL", mode == "development" and not documents_only)
    if wanted and documents_only:
        instead = "write off: what it sends would be refused, because SPAREKEY_DOCUMENTS_ONLY is on"
        raise SettingsInvalid("SPAREKEY_GRAPHIQL", instead)
    return wanted


def _database_url(given: Mapping[str, str], variable: str = "SPAREKEY_DATABASE_URL") -> str | None:
    url = given.get(variable, "").strip()
    if not url:
        return None
    instead = "write postgresql://user:password@host:5432/database"
    try:
        parts = urlsplit(url)
    except ValueError:  # its text repeats a part of the URL
        raise SettingsInvalid(variable, instead) from None
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        raise SettingsInvalid(variable, instead)
    return url


def _origins(given: Mapping[str, str]) -> tuple[str, ...]:
    origins = tuple(given.get("SPAREKEY_ORIGINS", "").replace(",", " ").split())
    if not all(map(_is_origin, origins)):
        instead = "write origins as browsers send them, such as https://app.example.org, spaces between"
        raise SettingsInvalid("SPAREKEY_ORIGINS", f"{instead}: lower case, no path, no port that is the scheme's own")
    return origins


def _is_origin(origin: str) -> bool:
    """Whether a browser could send it: it is compared as it stands, and another spelling would never match."""
    scheme, _, host = origin.partition("://")
    port = {"http": ":80", "https": ":443"}.get(scheme)
    return port is not None and _HOST.fullmatch(host) is not None and not host.endswith((port, "."))


def _issuers(given: Mapping[str, str]) -> tuple[issuer_settings.TrustedIssuer, ...]:
    try:
        return issuer_settings.named(given.get("SPAREKEY_ISSUERS", "").strip())
    except issuer_settings.IssuersInvalid as invalid:
        raise SettingsInvalid("SPAREKEY_ISSUERS", str(invalid)) from None


def _proxies(given: Mapping[str, str]) -> tuple[str, ...]:
    proxies = tuple(given.get("SPAREKEY_PROXIES", "").replace(",", " ").split())
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError:
            raise SettingsInvalid("SPAREKEY_PROXIES", "write addresses or networks such as 10.0.0.0/8") from None
    return proxies


def _pepper(given: Mapping[str, str], mode: str, data_dir: Path) -> bytes:
    pepper = given.get("SPAREKEY_PEPPER", "").strip().encode()
    instead = f"write at least {PEPPER_BYTES} random bytes, for example the output of `openssl rand -base64 48`"
    if pepper and (len(pepper) < PEPPER_BYTES or (mode == "production" and _is_made_up(pepper))):
        raise SettingsInvalid("SPAREKEY_PEPPER", instead)
    if not pepper and mode == "production":
        raise SettingsInvalid("SPAREKEY_PEPPER", f"is required in production: {instead}")
    return pepper or _kept_pepper(data_dir / "pepper")


def _is_made_up(pepper: bytes) -> bool:
    """One text again and again, or a few characters: not what a random generator writes, in hexadecimal either."""
    repeats = any(pepper[period:] == pepper[:-period] for period in range(1, len(pepper) // 2 + 1))
    return repeats or len(set(pepper)) < PEPPER_CHARACTERS


def _kept_pepper(file: Path) -> bytes:
    """Development's pepper: made once, because hashes made with another one would never match again."""
    with suppress(FileExistsError):
        _create_pepper(file)
    try:
        pepper = file.read_bytes()
    except OSError:
        raise SettingsInvalid("DATA_DIR", "write a folder whose file `pepper` this account may read") from None
    if len(pepper) < PEPPER_BYTES:
        raise SettingsInvalid("SPAREKEY_PEPPER", "the file `pepper` in DATA_DIR is too short; restore it from a backup")
    return pepper


def _create_pepper(file: Path) -> None:
    """Appears whole or not at all: two starts at once, or a crash half way, must not leave two peppers."""
    if file.exists():
        return
    draft = file.with_name(f"pepper.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(draft, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(secrets.token_bytes(PEPPER_BYTES))
            out.flush()
            os.fsync(out.fileno())
        os.link(draft, file)
    except FileExistsError:
        raise
    except OSError:
        raise SettingsInvalid("DATA_DIR", "write a folder that this account may write to") from None
    finally:
        draft.unlink(missing_ok=True)
