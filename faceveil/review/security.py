"""Who may ask a server of pages: every request is checked before any route sees it.

A page of another site in the same browser can send requests to a server of this machine, also under
a name of its own that resolves to it (DNS rebinding). So besides the token, the Host must be one
that the server was given, and what changes something must come from a page of that host.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from faceveil.review.answers import error_answer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_READING = ("GET", "HEAD")


class Guard:
    """Lets those requests through that carry the token and come from a page of this server.

    Parameters
    ----------
    app
        The application behind it.
    token
        The secret that the first address carries, and then a cookie or an Authorization header.
    hosts
        The values of the Host header that are answered, such as 127.0.0.1:8000.
    secure
        Whether pages come over HTTPS, for a backend that stands behind it.
    policy
        The Content-Security-Policy of all answers.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str,
        hosts: Collection[str],
        *,
        secure: bool = False,
        policy: str = POLICY,
    ) -> None:
        self._app = app
        self._headers = {"Content-Security-Policy": policy, **HEADERS}
        self._token = token
        self._hosts = frozenset(host.lower() for host in hosts)
        self._scheme = "https" if secure else "http"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that the application is not to see; None lets it through."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self._hosts:
            return error_answer(403, "host", "This server does not answer under that name.")
        if not self._comes_from_here(scope["method"], headers, host):
            return error_answer(403, "origin", "The request comes from a page of another site.")
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if "token" in query and scope["path"].rstrip("/") == scope.get("root_path", ""):
            return self._first_visit(query, scope, host)
        if not self._has_token(headers, host):
            text = "Open the address that faceveil printed: it holds the token."
            if "/api/" in scope["path"]:
                return error_answer(403, "token", text)
            return PlainTextResponse(text, 403)
        return None

    def _first_visit(self, query: dict[str, list[str]], scope: Scope, host: str) -> Response:
        if not self._is_token(query["token"][-1]):
            return PlainTextResponse("This token is not the one of this page.", 403)
        rest = {name: values[-1] for name, values in query.items() if name != "token"}
        root = scope.get("root_path", "") + "/"
        answer = RedirectResponse(root + (f"?{urlencode(rest)}" if rest else ""), 303)
        answer.set_cookie(
            cookie_name(host),
            self._token,
            httponly=True,
            samesite="strict",
            secure=self._scheme == "https",
            path=root,
        )
        return answer

    def _comes_from_here(self, method: str, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if origin is not None and origin != f"{self._scheme}://{host}":
            return False
        if method in _READING or headers.get("authorization"):
            # Another port of this machine is of the same site, whose requests carry the cookie.
            return headers.get("sec-fetch-site", "none") in ("none", "same-origin") or (
                headers.get("sec-fetch-mode") == "navigate"
            )
        return origin is not None

    def _has_token(self, headers: Headers, host: str) -> bool:
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._is_token(token)
        return self._is_token(cookie_parser(headers.get("cookie", "")).get(cookie_name(host), ""))

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._token.encode())


def cookie_name(host: str) -> str:
    """The cookie of a server: browsers share cookies between the ports of a machine."""
    port = host.rpartition(":")[2]
    return f"faceveil-{port}" if port.isdecimal() else "faceveil"
