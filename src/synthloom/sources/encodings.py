"""From a file's bytes to its text: packing and encoding are seen from the file itself, and nothing is guessed twice."""

from __future__ import annotations

import codecs
import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

from synthloom.errors import FileError

__all__ = ["LONGEST", "encoding_of", "opened_text", "opened_utf8"]

LONGEST = 1 << 22  # bytes in one row; more is an unclosed quote, or no text
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def encoding_of(name: str, path: Path) -> str:
    """UTF-8, or what the mark at the beginning says, or else Windows' Latin alphabet; the whole file must be in it."""
    with _unpacked(path) as file:
        head = file.read(4)
    encoding = next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), "utf-8")
    decoder = codecs.getincrementaldecoder(encoding)()
    packed, size = path.stat().st_size, 0
    with _unpacked(path) as file:
        try:
            while block := file.read(1 << 20):
                decoder.decode(block)
                size += len(block)
                if size > 1 << 28 and size > 200 * packed:
                    raise FileError(
                        f"{name} unpacks to more than 200 times its size, as files do that are made to fill a memory; "
                        f"if you trust it, unpack it first (gunzip)"
                    )
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            if encoding != "utf-8":
                raise FileError(
                    f"{name} begins as {encoding}, but goes on otherwise; save it again as UTF-8"
                ) from error
            return _latin(name, path)
    return encoding


def _latin(name: str, path: Path) -> str:
    """cp1252 for a file that is not UTF-8, unless it is UTF-8 with damage, or nothing that can be known."""
    wide = broken = 0
    with _unpacked(path) as file:
        for line, raw in enumerate(iter(partial(file.readline, LONGEST), b""), 1):
            if raw.isascii():
                continue
            try:
                raw.decode("utf-8")
                wide = wide or line
            except UnicodeDecodeError:
                broken = broken or line
            try:
                raw.decode("cp1252")
            except UnicodeDecodeError as error:
                raise FileError(
                    f"{name}, line {line}: the bytes are neither UTF-8 nor Latin-1; save the file again as UTF-8"
                ) from error
    if wide:
        raise FileError(
            f"{name}, line {broken}: the bytes are not UTF-8, though those of line {wide} are; "
            f"mend that line, or save the file again as UTF-8"
        )
    return "cp1252"


@contextmanager
def _unpacked(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes; gzip is known by how it begins, whatever the name ends with."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else path.open("rb") as file:
        yield file  # type: ignore[misc]


@contextmanager
def opened_utf8(path: Path, encoding: str) -> Iterator[IO[bytes]]:
    """The file's text as UTF-8, without a mark at the beginning."""
    with _unpacked(path) as file:
        if encoding != "utf-8":
            yield io.BufferedReader(_Recoded(file, encoding))
            return
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        yield file


@contextmanager
def opened_text(path: Path, encoding: str) -> Iterator[io.TextIOWrapper]:
    with opened_utf8(path, encoding) as file:
        yield io.TextIOWrapper(file, "utf-8", newline="")


class _Recoded(io.RawIOBase):
    """A file in another encoding, as UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._text = io.TextIOWrapper(file, encoding, newline="")
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._ready = self._ready or self._text.read(1 << 16).encode()
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size
