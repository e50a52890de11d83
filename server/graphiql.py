"""GraphiQL, for whoever develops against the API. Off in production unless asked for.

The page is the one that strawberry ships. It loads React and GraphiQL from a public CDN, by version and with
integrity hashes, so it needs the internet and tells the CDN that somebody opened it: acceptable while developing,
and the reason why it is off otherwise. Its policy allows that host, its own inline scripts by their hashes, and
requests to this server, nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from starlette.responses import HTMLResponse, Response

CDN = "https://unpkg.com"
# What scripts of the CDN could otherwise ask the browser for, in the name of this page. The clipboard stays: GraphiQL
# copies queries.
PERMISSIONS = ", ".join(
    f"{feature}=()" for feature in ("camera", "display-capture", "geolocation", "microphone", "payment", "usb")
)
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Page:
    html: str
    policy: str

    def response(self) -> Response:
        headers = {"Content-Security-Policy": self.policy, "Permissions-Policy": PERMISSIONS, "Vary": "Accept"}
        return HTMLResponse(self.html, headers=headers)


def load() -> Page:
    html = resources.files("strawberry").joinpath("static/graphiql.html").read_text("utf-8")
    html = html.replace("<title>Strawberry GraphiQL</title>", "<title>Sparekey GraphiQL</title>")
    return Page(html, _policy(html))


def _policy(html: str) -> str:
    hashes = (hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(html))
    scripts = " ".join(f"'sha256-{base64.b64encode(each).decode()}'" for each in hashes)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {CDN} {scripts}",
            f"style-src {CDN} 'unsafe-inline'",  # the editor positions its lines by style attributes
            f"font-src {CDN} data:",
            "img-src 'self' data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
