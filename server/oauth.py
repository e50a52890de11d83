"""OAuth 2.0 for platforms that expect it: client credentials for a short-lived access token (RFC 6749 §4.4).

    POST /oauth/token    grant_type=client_credentials, and a scope that narrows; the client is an API key's:
                         client_id its `clientId`, client_secret the whole key, as Basic or in the form

    405 method · 400 content type · 413, 408 body · 400 form · 401 unknown, expired or revoked · 400 grant type, scope

oauthlib decides what the protocol decides. Its callbacks cannot wait, so the client is looked up before, as the door
looks up a bearer: by the hash of its secret, in the same statement, and over whenever the key is. The token is written
after, and put into the answer by us: the library logs what it gives out. Cookies say nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from oauthlib.oauth2 import BackendApplicationServer, OAuth2Error, RequestValidator
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from authz.actor import Actor
from models.connection import read
from operations import key_text
from operations.access_token import issue_access_token
from resolvers.credential import Kind, of_secret
from resolvers.execution import RequestFacts
from server import answer as answers
from server import body, media
from server.http_errors import RequestRejected
from server.oauth_form import Asked, OAuthRefused, answer, check_type, invalid_client, invalid_request
from server.oauth_form import read as read_form
from server.running import OpenContext

PATH = "/oauth/token"
_CLIENT = "SELECT client_id, scopes FROM api_keys WHERE id = $1"
_HOST = re.compile(r"[a-z0-9.-]+(?::[0-9]{1,5})?|\[[0-9a-f:.]+\](?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who showed a live key."""

    client_id: str
    scopes: frozenset[str]
    actor: Actor


def routes(open_context: OpenContext, clock: Callable[[], datetime], *, https: bool) -> list[Route]:
    endpoint = TokenEndpoint(open_context, clock)

    async def token(request: Request) -> Response:
        return await endpoint.respond(request)

    async def metadata(request: Request) -> Response:
        return _metadata(request.headers.get("host", "").lower(), "https" if https else "http")

    return [
        Route(PATH, token, methods=["POST"]),
        Route("/.well-known/oauth-authorization-server", metadata, methods=["GET"]),
    ]


def _metadata(host: str, scheme: str) -> Response:
    """RFC 8414 §2. The issuer is whatever the client called us, which is what it has to compare it with (§3.3)."""
    if not _HOST.fullmatch(host):
        return invalid_request("send the Host header").response()
    issuer = f"{scheme}://{host}"
    content = {
        "issuer": issuer,
        "token_endpoint": issuer + PATH,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
    }
    return answer(200, content)


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    open_context: OpenContext
    clock: Callable[[], datetime]

    async def respond(self, request: Request) -> Response:
        try:
            return await self._respond(request)
        except OAuthRefused as refused:
            return refused.response()
        except RequestRejected as rejected:
            return _rejected(rejected)
        except ClientDisconnect:
            raise
        except Exception as exception:  # a bug, or no connection to the database: as for every request
            request_id = str(request.scope["sparekey.request_id"])
            return answers.failed(exception, request_id).encoded(media.JSON).response()

    async def _respond(self, request: Request) -> Response:
        check_type(request.headers)
        content = await body.read(request.receive, request.headers.get("content-length"))
        asked = read_form(request.headers, content)
        client = await self._client(request, asked)
        scopes = _decided(asked, client, has_query=bool(request.scope["query_string"]))
        if client is None:
            raise invalid_client()
        issued = await issue_access_token(client.actor, scopes)
        if issued is None:
            raise invalid_client()
        scope = " ".join(scopes)
        said = {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.seconds, "scope": scope}
        return answer(200, said)

    async def _client(self, request: Request, asked: Asked) -> Client | None:
        if not key_text.is_key(asked.secret):
            return None
        address = request.client.host if request.client else ""
        request_id = str(request.scope["sparekey.request_id"])
        facts = RequestFacts(of_secret(Kind.API_KEY, asked.secret), address, self.clock(), request_id)
        actor = (await self.open_context(facts)).actor
        if not isinstance(actor, Actor):
            return None
        (row,) = await read(_CLIENT, actor.api_key_id)
        if str(row["client_id"]) != asked.client_id:
            return None
        return Client(asked.client_id, frozenset(row["scopes"]), actor)


def _decided(asked: Asked, client: Client | None, *, has_query: bool) -> Sequence[str]:
    """What the protocol says of it: the scopes to give, sorted. Raises OAuthRefused."""
    uri = f"https://sparekey.invalid{PATH}" + ("?something" if has_query else "")
    server = BackendApplicationServer(_Validator(client), token_generator=lambda request: "")
    try:
        _, text, status = server.create_token_response(uri, "POST", asked.body, {})
    except OAuth2Error as error:  # some it raises, others it answers
        text, status = error.json, error.status_code
    said = orjson.loads(text)
    if status == 401:
        raise invalid_client()
    if status != 200:
        raise OAuthRefused(status, said["error"], said.get("error_description", "read RFC 6749, section 5.2"))
    return sorted(set(said["scope"].split()))


class _Validator(RequestValidator):
    """The library asks, and everything it asks is known already."""

    def __init__(self, client: Client | None) -> None:
        super().__init__()
        self._client = client

    def authenticate_client(self, request: Any, *args: Any, **kwargs: Any) -> bool:
        request.client = self._client
        return self._client is not None

    def validate_grant_type(self, *args: Any, **kwargs: Any) -> bool:
        return True  # the server knows no other than this one

    def get_default_scopes(self, *args: Any, **kwargs: Any) -> list[str]:
        return sorted(self._client.scopes) if self._client else []

    def validate_scopes(self, client_id: Any, scopes: list[str], client: Any, request: Any, **kwargs: Any) -> bool:
        return self._client is not None and self._client.scopes.issuperset(scopes)

    def save_bearer_token(self, *args: Any, **kwargs: Any) -> None:
        """Written afterwards, by us."""


def _rejected(rejected: RequestRejected) -> Response:
    if rejected.status < 500:
        return invalid_request(str(rejected), rejected.status).response()
    return OAuthRefused(rejected.status, "temporarily_unavailable", str(rejected)).response()
