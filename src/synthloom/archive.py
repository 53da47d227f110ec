"""One model in one file: a zip of readable JSON documents and safetensors. No pickle: reading runs nothing.

    manifest.json          {"format": 1, "synthloom": "0.1.0", "sha256": {entry: digest}}
    <document>.json        sorted keys, no NaN
    <group>.safetensors    named tensors, all of them finite

Entries are stored in order, uncompressed and without a date, so the same model gives the same bytes. Whatever is
written can be read: both directions keep the same limits.

**To raise `FORMAT`**, when a file of the old format would now be misread or could not be read:

1. Raise the number, and add a line to the table below.
2. Write `_from_<old>(documents, tensors)`, which gives what the new code expects, and let `read` apply it to files of
   the old number. It is never changed again: a file of format 1 goes through `_from_1`, then `_from_2`, ...
3. Put a small file that the last release wrote into `tests/archives/<old>.loom`, and load and sample from it in a test.
4. Say in the changelog which releases read the new files.

A document or group that old code does not look at needs no new number.

    1    0.1.0    the first
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from torch import Tensor

from synthloom import __version__
from synthloom.errors import ModelFileError
from synthloom.files import atomic

__all__ = ["FORMAT", "Archive", "read", "write"]

FORMAT = 1

_MOST_BYTES = 1 << 31  # of the file
_MOST_ENTRIES = 64
_MOST_JSON = 1 << 24  # bytes of one document
_DEEPEST = 64  # lists and objects within each other
_MOST_HEADER = 1 << 20  # bytes that name the tensors of one group
_MOST_TENSORS = 10_000
_NAME = re.compile(r"[a-z0-9]+([_-][a-z0-9]+)*\.(json|safetensors)")


@dataclass(frozen=True)
class Archive:
    """What a file holds: JSON documents and groups of tensors (on the CPU), by name."""

    documents: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


def write(
    path: Path | str, documents: Mapping[str, Any], tensors: Mapping[str, Mapping[str, np.ndarray[Any, Any] | Tensor]]
) -> None:
    """Write the file in one step: a reader finds the old one or the new one.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write(f"{folder}/model.loom", {"info": {"kind": "table"}}, {"network": {"bias": np.zeros(3)}})
    ...     model = read(f"{folder}/model.loom")
    >>> model.documents["info"]["kind"], model.tensors["network"]["bias"].shape
    ('table', torch.Size([3]))
    """
    path = Path(path)
    entries = {f"{name}.json": _document_bytes(f"{path}, {name}", value) for name, value in documents.items()}
    entries |= {f"{name}.safetensors": _tensor_bytes(f"{path}, {name}", group) for name, group in tensors.items()}
    assert all(_NAME.fullmatch(name) for name in entries), sorted(entries)
    assert "manifest.json" not in entries, "this name is taken"
    assert len(entries) < _MOST_ENTRIES, len(entries)
    entries = dict(sorted(entries.items()))
    digests = {name: hashlib.sha256(entry).hexdigest() for name, entry in entries.items()}
    manifest = _document_bytes("manifest", {"format": FORMAT, "synthloom": __version__, "sha256": digests})
    if sum(map(len, entries.values())) > _MOST_BYTES - (1 << 20):
        raise ModelFileError(f"a model file must stay below {_MOST_BYTES} bytes, however: {path} would not; use less")
    with atomic(path) as part, zipfile.ZipFile(part, "w") as file:
        for name, entry in ({"manifest.json": manifest} | entries).items():
            about = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            about.create_system, about.external_attr = 3, 0o644 << 16  # as on any Unix, wherever it is written
            file.writestr(about, entry)


def read(path: Path | str) -> Archive:
    """What `write` has put into the file; a `ModelFileError` for every other file, before much of it is in memory."""
    path = Path(path)
    try:
        with path.open("rb") as file:
            _assert_small_directory(file, path.stat().st_size)
            with zipfile.ZipFile(file) as archive:
                return _read(path, archive, path.stat().st_size)
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no model file {path}; look for a slip in the name") from error
    except (PermissionError, IsADirectoryError) as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror}") from error
    except ModelFileError:
        raise
    except _ForeignError as why:
        raise ModelFileError(
            f"{path} must be a file that synthloom wrote, however: {why}; save the model again"
        ) from why
    except Exception as error:  # parsers of foreign bytes fail in any way they like
        raise ModelFileError(
            f"{path} is damaged ({type(error).__name__}: {_line(error)}); take another copy or save the model again"
        ) from error


class _ForeignError(Exception):
    """The file is not of our making; says why."""


def _read(path: Path, archive: zipfile.ZipFile, size: int) -> Archive:
    found = archive.infolist()
    names = [about.filename for about in found]
    if "manifest.json" not in names:
        raise _ForeignError("it has no manifest.json")
    if len(set(names)) < len(names) or any(about.compress_type != zipfile.ZIP_STORED for about in found):
        raise _ForeignError("its entries are compressed or there twice")
    if sum(about.file_size for about in found) > size:
        raise _ForeignError("its entries are larger than the file")
    manifest = _document("manifest.json", archive.read("manifest.json"))
    number = manifest.get("format") if isinstance(manifest, dict) else None
    if type(number) is not int or number < 1:
        raise _ForeignError("its manifest.json has no format number")
    if number > FORMAT:
        raise ModelFileError(
            f"{path} was written by format {number}, this synthloom reads up to {FORMAT}: update synthloom"
        )
    digests = manifest["sha256"]
    if sorted(names) != sorted(["manifest.json", *digests]) or not all(map(_NAME.fullmatch, names)):
        raise _ForeignError("its entries are not those that manifest.json names")
    documents: dict[str, Any] = {}
    tensors: dict[str, dict[str, Tensor]] = {}
    for name in digests:
        entry = archive.read(name)
        if hashlib.sha256(entry).hexdigest() != digests[name]:
            raise _ForeignError(f"{name} is not as it was written (its SHA-256 differs)")
        stem, _, ending = name.rpartition(".")
        if ending == "json":
            documents[stem] = _document(name, entry)
        else:
            tensors[stem] = _tensors(name, entry)
    return Archive(documents, tensors)


def _assert_small_directory(file: IO[bytes], size: int) -> None:
    """The zip's last record must be one of ours before `zipfile` believes it: no comment, no zip64, few entries."""
    if size > _MOST_BYTES:
        raise _ForeignError(f"it is larger than {_MOST_BYTES} bytes")
    file.seek(max(0, size - 42))
    tail = file.read(42)
    end = tail[-22:]
    count, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if len(tail) < 42 or end[:4] != b"PK\x05\x06" or tail[:4] == b"PK\x06\x07":
        raise _ForeignError("it does not end as one does, so it is something else or was cut off")
    if count > _MOST_ENTRIES or length > 1 << 16:
        raise _ForeignError(f"it has more than {_MOST_ENTRIES} entries")


# -- documents --------------------------------------------------------------------------------------------------------


def _document_bytes(name: str, value: Any) -> bytes:
    try:
        _assert_shallow(value)
        text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    except (ValueError, _ForeignError) as error:
        raise ModelFileError(
            f"a document of a model must be finite JSON, however: in {name}: {_line(error)}"
        ) from error
    entry = text.encode("utf-8", "backslashreplace")  # half a surrogate pair has no UTF-8, but JSON can escape it
    if len(entry) > _MOST_JSON:
        raise ModelFileError(
            f"a document of a model must stay below {_MOST_JSON} bytes, however: {name} has {len(entry)}"
        )
    return entry


def _document(name: str, entry: bytes) -> Any:
    if len(entry) > _MOST_JSON:
        raise _ForeignError(f"{name} is larger than {_MOST_JSON} bytes")
    value = json.loads(entry, parse_constant=_finite, parse_float=_finite)
    _assert_shallow(value)
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _ForeignError(f"it holds the number {text}")
    return number


def _assert_shallow(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        level = [child for parent in level for child in _children(parent)]
    if level:
        raise _ForeignError(f"its lists go deeper than {_DEEPEST}")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, (list, tuple)) else ()


# -- tensors ----------------------------------------------------------------------------------------------------------


def _tensor_bytes(name: str, group: Mapping[str, np.ndarray[Any, Any] | Tensor]) -> bytes:
    arrays = {key: _array(value) for key, value in group.items()}
    for key, array in arrays.items():
        if array.dtype.kind in "fc" and not np.isfinite(array).all():
            raise ModelFileError(
                f"the weights of a model must be finite, however: in {name}: {key} is not; train it again"
            )
    entry = safetensors.numpy.save(arrays)
    if len(arrays) > _MOST_TENSORS or int.from_bytes(entry[:8], "little") > _MOST_HEADER:
        raise ModelFileError(f"a group must hold at most {_MOST_TENSORS} tensors, however: {name} has {len(arrays)}")
    return entry


def _array(value: np.ndarray[Any, Any] | Tensor) -> np.ndarray[Any, Any]:
    array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
    return np.asarray(array, order="C")  # safetensors takes the bytes as they lie: a transposed array would be shuffled


def _tensors(name: str, entry: bytes) -> dict[str, Tensor]:
    if int.from_bytes(entry[:8], "little") > _MOST_HEADER:
        raise _ForeignError(f"{name} has a header of more than {_MOST_HEADER} bytes")
    group: dict[str, Tensor] = safetensors.torch.load(entry)
    if len(group) > _MOST_TENSORS:
        raise _ForeignError(f"{name} has more than {_MOST_TENSORS} tensors")
    for key, tensor in group.items():
        if (tensor.is_floating_point() or tensor.is_complex()) and not torch.isfinite(tensor).all():
            raise _ForeignError(f"in {name}, {key} holds NaN or infinity")
    return group


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
