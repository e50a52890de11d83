"""One person with every kind of credential, in the town of `page_data.py`, and an issuer who vouches for them.

The person owns a practice and is a member of an agent with engagements. Keys were used in the future, as sessions are
there: writing the last use down, once a minute at most, would fall into whichever round comes first.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from bench.page_data import AGENT, USER, identifier, reference
from models import AccessToken, AgentMember, ApiKey, Identity, User
from operations import key_text, stretching
from resolvers.credential import Kind, of_secret

AUDIENCE, SUBJECT = "sparekey", "owner-0"
PASSWORD = "correct horse battery staple"  # noqa: S105  (of a person who is made for a measurement)
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)  # the day on which everybody else of the town came
SCOPES = ["claims.submit", "claims.view"]


@dataclass(frozen=True, slots=True)
class People:
    issuer: str
    email: str
    reference: str = field(repr=False)
    key: str = field(repr=False)
    token: str = field(repr=False)


async def add(issuer: str) -> People:
    """To the connected database."""
    user, agent = UUID(identifier(USER, 0)), UUID(identifier(AGENT, 0))
    now, later = NOW, NOW + timedelta(days=300)
    member = await AgentMember.create(
        agent_id=agent, user_id=user, admin=True, invited_at=now, invited_by_id=user, joined_at=now
    )
    prefix = key_text.new_prefix()
    secret, token = key_text.key_of(prefix, secrets.token_bytes(32)), key_text.new_token()
    key = await ApiKey.create(
        client_id=UUID(int=1), agent_id=agent, member_id=member.id, label="Platform", prefix=prefix, scopes=SCOPES,
        secret_hash=of_secret(Kind.API_KEY, secret).name, created_at=now, created_by_id=user, expires_at=later,
        last_used_at=later,
    )  # fmt: skip
    await AccessToken.create(
        api_key_id=key.id, token_hash=of_secret(Kind.ACCESS_TOKEN, token).name, scopes=SCOPES, issued_at=now,
        expires_at=later,
    )  # fmt: skip
    await Identity.create(user_id=user, issuer=issuer, subject=SUBJECT, linked_at=now)
    await User.filter(id=user).update(password_hash=await stretching.hash_password(PASSWORD))
    return People(issuer, (await User.get(id=user)).email, reference(0), secret, token)


@contextmanager
def issuer() -> Iterator[tuple[str, dict[str, Key]]]:
    """The address of a server with a key set, and its private keys by algorithm, which are their ids, too."""
    keys: dict[str, Key] = {
        "ES256": ECKey.generate_key("P-256"),
        "RS256": RSAKey.generate_key(2048),
        "Ed25519": OKPKey.generate_key("Ed25519"),
    }
    published = [key.as_dict(private=False) | {"kid": alg, "alg": alg, "use": "sig"} for alg, key in keys.items()]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = f"http://127.0.0.1:{server.server_port}"
            is_keys = self.path == "/keys"
            content = json.dumps({"keys": published} if is_keys else {"issuer": url, "jwks_uri": f"{url}/keys"})
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "max-age=3600")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", keys
    finally:
        server.shutdown()
        server.server_close()
