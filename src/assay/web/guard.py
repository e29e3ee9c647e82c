"""The wall around every answer: which hosts may be named, who may post, what a page may do.

There is no log-in, so a browser on this machine must not become another site's tool: a page of
another site can't post here (its origin is refused) and can't read here under a name of its own
(DNS rebinding: the Host header must name this machine)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
OPEN_TO_ANY_HOST = frozenset({"/healthz"})
"""Paths that say nothing about the project: probes call them by address."""

_HOST = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:@/\s]+))(?::\d{1,5})?")


class Guard:
    """ASGI middleware. `allowed_hosts` are further names; `*` allows every name."""

    def __init__(self, app: ASGIApp, *, allowed_hosts: Collection[str] = ()) -> None:
        self.app = app
        self._host_allowed = host_checker(allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host", "")
        if path not in OPEN_TO_ANY_HOST and not self._host_allowed(host):
            return PlainTextResponse(
                f"This server does not answer to the host name {host[:100]!r}. If it should, add the "
                "name to allowed_hosts in the [server] section of assay.toml.\n",
                status_code=421,
            )
        safe = scope["method"] in ("GET", "HEAD", "OPTIONS")
        if not safe and crosses_sites(headers, host):
            return PlainTextResponse("Requests from other sites are refused.\n", status_code=403)
        return None


def host_checker(allowed_hosts: Collection[str]) -> Callable[[str], bool]:
    """Whether a Host header names this machine, or one of `allowed_hosts`."""
    hosts = LOOPBACK | {host.lower().strip("[]") for host in allowed_hosts}

    def host_allowed(host: str) -> bool:
        if "*" in hosts:
            return True
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = (match["six"] or match["name"]).lower().removesuffix(".")
        return name in hosts or name.endswith(".localhost")

    return host_allowed


def crosses_sites(headers: Headers, host: str) -> bool:
    """Whether a browser says that another origin's page makes this request.

    Programs other than browsers send neither header and are not asked for one."""
    fetch_site = headers.get("sec-fetch-site")
    if fetch_site is not None and fetch_site not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2].lower() != host.lower()
