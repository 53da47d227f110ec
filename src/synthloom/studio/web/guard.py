"""Who may ask at all: only pages of ours, at an address that nobody can guess, called by its right name.

Another page in the same browser can reach 127.0.0.1 too. It does not know the token; it says where it comes from
(Origin); and one that has its own name point here (DNS rebinding) calls us by that name (Host). Each alone would do.
"""

from __future__ import annotations

import logging
from secrets import compare_digest
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from synthloom.studio.intake import TooLargeError
from synthloom.studio.web.state import Studio

__all__ = ["Guard"]

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

_FORM = 2 << 20
"""Bytes of a form that brings no files, at most."""

log = logging.getLogger("synthloom.studio")


class Guard:
    """Stands before all pages; what it lets through has the token, the right name and the right origin."""

    def __init__(self, app: ASGIApp, studio: Studio) -> None:
        self.app, self.studio = app, studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _say(send, *refusal)
            return
        base = self.studio.base
        most = self.studio.limits.bytes if scope["path"] == f"{base}/projects" else _FORM
        answer = _Answer(send)
        try:
            await self.app({**scope, "root_path": base}, _counted(receive, most), answer)
        except Exception as error:
            # where, but not what: a message may hold values of the data
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            where = "?" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            log.error("%s at %s", type(error).__name__, where)
            if not answer.begun:
                await _say(
                    send, 500, "Something went wrong on our side. Nothing of yours is lost; go back and try again."
                )

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request is not let through, if it is not."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if headers.get("host") not in self.studio.hosts:
            return 421, "This address is not ours."
        first = scope["path"].split("/")[1]
        if not compare_digest(first.encode(), self.studio.token.encode()):
            return 404, "There is nothing here. Take the address that the terminal shows: it changes with each start."
        if scope["method"] not in ("GET", "HEAD"):
            origin = headers.get("origin", "").removeprefix("http://")
            if origin not in self.studio.hosts or headers.get("sec-fetch-site", "same-origin") != "same-origin":
                return 403, "Only pages of this studio may ask for that."
        return None


def _counted(receive: Receive, most: int) -> Receive:
    """What comes in, counted as it comes: what a header says of the size need not be true."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise TooLargeError(f"what is sent may hold {most:,} bytes, however: there are more")
        return message

    return counted


class _Answer:
    """What goes out, with what must be on all of it."""

    def __init__(self, send: Send) -> None:
        self.send, self.begun = send, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            said = {name.lower() for name, _ in message["headers"]}
            more = [(k.encode(), v.encode()) for k, v in HEADERS.items() if k.encode() not in said]
            message = {**message, "headers": [*message["headers"], *more]}
        await self.send(message)


async def _say(send: Send, status: int, sentence: str) -> None:
    """A plain answer."""
    answer: Any = _Answer(send)
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await answer({"type": "http.response.start", "status": status, "headers": headers})
    await answer({"type": "http.response.body", "body": sentence.encode()})
