"""Keys by which a partner platform's programs act for one of an agent's people: what they are, asked and answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import field

from schema.agent import AgentMember
from schema.edges import edge
from schema.inputs import REPEAT, _optional
from schema.node import Node
from schema.problem import IdempotencyConflict, InvalidInput, LimitReached, NotFound, NotPermitted, StepUpRequired

EXPIRES = "When it stops working: a time in the future, at most 365 days from now. 90 days when left out."


@strawberry.type(
    description="A key by which a program acts for one of the agent's people. It can do what its scopes say, as far as "
    "that person may do it at that moment, and nothing else. The key itself is shown only once, when it is made."
)
class ApiKey(Node):
    label: str = field(description="What it is for, in the words of whoever made it.")
    prefix: str = field(description="How the key begins, to find it again in a vault: `spk_` and 16 characters.")
    client_id: strawberry.ID = field(
        description="Which client's it is: keys made by rotating share it. It is the `client_id` at `/oauth/token`."
    )
    scopes: list[strawberry.ID] = field(description="The keys of the permissions it carries.")
    created_at: datetime = field(description="When it was made.")
    expires_at: datetime = field(description="When it stops working by itself.")
    last_used_at: datetime | None = field(description="When it was last used, to the minute; null if never.")
    revoked_at: datetime | None = field(description="When it was revoked; null if it was not.")
    member: AgentMember = edge("The person it acts for. When they depart or are suspended, it stops working.")


@strawberry.input(description="A key for a new client.")
class CreateApiKeyInput:
    agent_id: strawberry.ID = field(description="The agent whose key it shall be.")
    member_id: strawberry.ID = field(description="The person it shall act for: somebody who works for the agent now.")
    label: str = field(description="What it is for, 1 to 100 characters.")
    scopes: list[strawberry.ID] = field(
        description="The keys of the permissions it shall carry, at least one: `claims.read`, `tokens.issue`. Only "
        "what an agent's people can have; nothing of a person's own account."
    )
    expires_at: datetime | None = _optional(EXPIRES)
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A key to replace by a new one of the same client, member and scopes.")
class RotateApiKeyInput:
    api_key_id: strawberry.ID = field(description="A live key. It goes on working until you revoke it.")
    expires_at: datetime | None = _optional(EXPIRES)
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.input(description="A key to end.")
class RevokeApiKeyInput:
    api_key_id: strawberry.ID = field(description="The key.")
    idempotency_key: str | None = _optional(REPEAT)


@strawberry.type(description="The key is as asked.")
class ApiKeySuccess:
    api_key: ApiKey = field(description="The key as it is now, without its secret part.")
    secret: str | None = field(
        description="The whole key, to send as `Authorization: Bearer` or as `client_secret`. Shown once, when it was "
        "made: keep it in a vault. Null for a revocation."
    )

    def __repr__(self) -> str:
        return "<ApiKeySuccess>"  # the key belongs in no log


ApiKeyResult = Annotated[
    ApiKeySuccess | StepUpRequired | NotPermitted | NotFound | InvalidInput | LimitReached | IdempotencyConflict,
    strawberry.union("ApiKeyResult", description="What `createApiKey`, `rotateApiKey` and `revokeApiKey` answer."),
]
