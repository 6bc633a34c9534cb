"""Who may ask: every request is checked before anything else sees it.

The name that a request was sent to must be this machine's (DNS rebinding), a page of another origin may not ask for
changes (cross-site requests), other machines show a token, a body ends where its limit is, and every answer forbids the
page to load anything from elsewhere.
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulacra.studio.settings import BODY, LOOPBACK, UPLOAD, Settings

COOKIE = "simulacra-token"
SAFE = ("GET", "HEAD")
READING = frozenset({
    "sample", "decode", "encode", "reconstruct", "invert", "interpolate", "film", "traverse", "manifold", "arithmetic",
    "translate", "inpaint", "anomaly", "neighbours", "transform", "sliders", "latents", "examples",
    "games", "rounds", "grounds", "steps", "map", "more", "find", "batch",
})  # fmt: skip  # the last words of addresses that are posted to without anything being changed
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "frame-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class TooLarge(Exception):
    """A body that goes on beyond its limit."""


class Guard:
    """The application behind these checks, as an ASGI application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        answer = self._refusal(scope)
        if answer is not None:
            await answer(scope, receive, _with_headers(send))
            return
        body = Body(receive, _limit(scope))
        with contextlib.suppress(TooLarge):
            await self.app(scope, body.receive, body.unless_too_large(_with_headers(send)))
        if body.too_large and not body.answered:
            await _too_large(scope)(scope, receive, _with_headers(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """What to answer in place of the application, or None where the request is in order."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_ours(headers.get("host", "")):
            return _refused(421, "This studio does not answer for that name. Open it by the address that it printed.")
        if scope["method"] not in (*SAFE, "POST", "PUT", "DELETE"):
            return _refused(405, "This method is not allowed.")
        if scope["method"] not in SAFE and not _is_same_origin(scope, headers):
            return _refused(403, "Another site asked for this, so it was not done.")
        refused = self._without_token(scope, headers)
        if refused is not None:
            return refused
        if self.settings.view and not _only_reads(scope):
            return _refused(403, "This studio is for viewing: it was started with --view.")
        if _length(headers) > _limit(scope):
            return _too_large(scope)
        return None

    def _is_ours(self, host: str) -> bool:
        """Whether a name is one of this machine's; with a token, which no other name's cookie holds, an address too."""
        name = _hostname(host)
        if name in LOOPBACK or name == self.settings.host.lower():
            return True
        return self.settings.token is not None and _is_address_or_name(name)

    def _without_token(self, scope: Scope, headers: Mapping[str, str]) -> Response | None:
        token = self.settings.token
        if token is None:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and _equal(given, token):
            answer = RedirectResponse("/", 303)
            answer.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if _equal(_cookie(headers), token) or _equal(bearer, token):
            return None
        return _refused(401, "This studio needs its token. Open the whole address that it printed when it started.")


class Body:
    """A body that is received up to its limit; beyond it, what the application answers is not sent."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self.left = limit
        self.too_large = False
        self.answered = False

    async def receive(self) -> Message:
        """Receive a part. Raises `TooLarge`."""
        message = await self._receive()
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            self.too_large = True
            raise TooLarge
        return message

    def unless_too_large(self, send: Send) -> Send:
        """Send what the application answers, except to a body that was too large."""

        async def inner(message: Message) -> None:
            if not self.too_large or self.answered:
                self.answered = True
                await send(message)

        return inner


def _with_headers(send: Send) -> Send:
    """Send an answer with the headers that every answer has."""

    async def inner(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in present]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return inner


def _refused(status: int, why: str) -> JSONResponse:
    return JSONResponse({"detail": why}, status)


def _too_large(scope: Scope) -> JSONResponse:
    return _refused(413, f"The request is larger than the {_limit(scope) >> 20} MB that are allowed.")


def _limit(scope: Scope) -> int:
    return UPLOAD if scope["path"].startswith("/api/uploads") else BODY


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address_or_name(name: str) -> bool:
    """Whether a name is an address, or one without a domain, which no site of the internet has."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and ("." not in name or name.endswith(".local"))
    return True


def _is_same_origin(scope: Scope, headers: Mapping[str, str]) -> bool:
    """Whether the page that asks is this studio's; programs, which send no origin, may ask too."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or origin == f"{scope.get('scheme', 'http')}://{headers.get('host', '')}"


def _only_reads(scope: Scope) -> bool:
    return scope["method"] in SAFE or scope["path"].rsplit("/", 1)[-1] in READING


def _cookie(headers: Mapping[str, str]) -> str:
    try:
        found: Any = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _equal(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())
