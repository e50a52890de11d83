"""ETag and 304: a client that holds an answer may ask whether it still holds, and need not get the bytes again.

    Cache-Control: private, no-cache      keep it, in this browser only, and ask before every use (RFC 9111, 5.2.2)
    Vary: Accept, Cookie, Origin          whoever else asks, or otherwise, gets their own

So no answer is ever used that the server has not confirmed with today's roles: a revoked agent's browser asks, and is
refused. Only a whole answer to a signed-in GET takes part; everything else stays `no-store`. The tag is strong: it is
made of the very bytes and of the media type they are sent as.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import replace

from starlette.datastructures import Headers

from server.answer import Encoded

_TAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]*"')


def revalidated(answer: Encoded, asked: Headers, origins: Collection[str]) -> Encoded:
    """The answer with what its next asking needs; 304 without its bytes where the client holds them already."""
    tag = _tag(answer)
    vary = "Accept, Cookie" if origins else "Accept, Cookie, Origin"  # where there are origins, CORS adds the third
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": vary}
    if _holds(", ".join(asked.getlist("if-none-match")), tag):
        return replace(answer, status=304, body=b"", headers=headers)
    return replace(answer, headers={**answer.headers, **headers})


def _tag(answer: Encoded) -> str:
    digest = hashlib.sha256(answer.headers["Content-Type"].encode() + b"\n" + answer.body)
    return f'"{digest.hexdigest()[:32]}"'


def _holds(if_none_match: str, tag: str) -> bool:
    """Compared weakly, as RFC 9110 (13.1.2) has it: `W/"x"` holds "x" too."""
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)
