"""A form with files, read as it streams: straight into the folder of a project, and never whole into memory."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from synthloom.errors import FileError, UsageError
from synthloom.studio.intake import Intake

__all__ = ["receive"]

_WORD = 200
"""Bytes of a field that is no file, at most."""


class _Form:
    """What the parser tells, part by part: files go to the intake, the few words are kept."""

    def __init__(self, intake: Intake) -> None:
        self.intake, self.words = intake, dict[str, str]()
        self._header, self._headers = b"", dict[str, bytes]()
        self._value = b""
        self._name, self._is_file = "", False
        self.ended = False

    def on_part_begin(self) -> None:
        self._headers, self._header, self._value = {}, b"", b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        self._headers[self._header.decode("latin-1").lower()] = self._value
        self._header, self._value = b"", b""

    def on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        self._name = options.get(b"name", b"").decode("utf-8", "replace")[:50]
        name = options.get(b"filename")
        self._is_file = name is not None
        if name:
            self.intake.begin(name.decode("utf-8", "replace"))

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.intake.write(data[start:end])
        elif len(self._value) + end - start > _WORD or len(self.words) > 20:
            raise UsageError("a form must be one of ours, however: it holds a field of many letters, or many fields")
        else:
            self._value += data[start:end]

    def on_end(self) -> None:
        self.ended = True

    def on_part_end(self) -> None:
        if self._is_file:
            self.intake.end()
        else:
            self.words[self._name] = self._value.decode("utf-8", "replace")


async def receive(request: Request, intake: Intake) -> dict[str, str]:
    """Take in the files of a request; the other fields are returned."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or b"boundary" not in options:
        raise UsageError("an upload must be a form with files, however: it is not")
    form = _Form(intake)
    names = [name for name in dir(form) if name.startswith("on_")]
    callbacks: Any = {name: getattr(form, name) for name in names}
    try:
        parser = MultipartParser(options[b"boundary"], callbacks)
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
        if not form.ended:
            raise FormParserError("the last boundary never came")
    except FormParserError as error:
        raise FileError("an upload must arrive whole, however: it was cut off or damaged; send it again") from error
    finally:
        intake.end()
    return form.words
