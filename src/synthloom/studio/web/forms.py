"""Forms as the pages send them: plain words by name."""

from __future__ import annotations

from typing import overload

from fastapi import Request

from synthloom.errors import UsageError

__all__ = ["Form", "form", "whole"]

_FIELDS = 20_000


class Form:
    """What was filled in."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self._pairs = pairs

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)

    def get(self, name: str) -> str:
        """The word of a field, without what stands around it; "" if there is none."""
        return next((value.strip() for key, value in self._pairs if key == name), "")

    def all(self, name: str) -> list[str]:
        """All words of a field of several."""
        return [value for key, value in self._pairs if key == name]


async def form(request: Request) -> Form:
    """The form of a request; files are no part of it."""
    sent = await request.form(max_files=0, max_fields=_FIELDS)
    return Form([(key, value) for key, value in sent.multi_items() if isinstance(value, str)])


@overload
def whole(text: str, name: str, least: int, most: int, default: int) -> int: ...
@overload
def whole(text: str, name: str, least: int, most: int, default: None = None) -> int | None: ...
def whole(text: str, name: str, least: int, most: int, default: int | None = None) -> int | None:
    """A whole number, or `default` where nothing is said.

    >>> whole("12", "seed", 0, 99), whole("", "seed", 0, 99), whole("", "how far", 0, 100, 30)
    (12, None, 30)
    """
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise UsageError(f"{name} must be a whole number from {least:,} to {most:,}, however: {text[:30]!r}")
    return int(text)
