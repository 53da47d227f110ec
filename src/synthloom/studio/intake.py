"""What may come in from outside: counted while it streams, under names of ours, and a zip member by member.

Of a foreign name two things are looked at, and neither ever touches the disk: its ending, which must be one of a list,
and the folder that it says to lie in, which is a label. Names of idx files also say which labels are whose.
"""

from __future__ import annotations

import gzip
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from synthloom.errors import FileError
from synthloom.studio.projects import clean

__all__ = ["Intake", "Limits", "TooLargeError"]

_ENDINGS = {
    "table": (".csv", ".csv.gz", ".tsv", ".parquet"),
    "text": (".txt", ".md", ".jsonl"),
    "image": (
        *(".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".npz", ".npy"),
        *("idx3-ubyte", "idx3-ubyte.gz", "idx1-ubyte", "idx1-ubyte.gz", ".idx", ".idx.gz"),
    ),
    "": (".zip",),
}
"""What files are, by their endings. The readers look inside, and refuse what does not keep its ending's word."""

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Limits:
    """How much one upload may bring."""

    bytes: int = 2 << 30
    files: int = 100_000
    ratio: int = 200
    """How many times larger a packed file may become, once it is beyond a megabyte."""


class TooLargeError(FileError):
    """More came than may come."""


class Intake:
    """Files on their way into a folder.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     intake = Intake(Path(folder))
    ...     for name in ("digits/3/a.png", "digits/7/../../b.png"):
    ...         intake.begin(name)
    ...         intake.write(b"...")
    ...         intake.end()
    ...     kind = intake.finish()
    ...     print(kind, intake.labels, sorted(str(p.relative_to(folder)) for p in Path(folder).glob("*/*")))
    image ['3', '..'] ['000000/000000.png', '000001/000001.png']
    """

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.folder, self.limits = folder, limits or Limits()
        self.bytes = self.count = self.passed_over = 0
        self._first = "", ""  # the folder and the name of the first file
        self.places: dict[str, int] = {}  # foreign folder -> number of ours
        self.idx: dict[str, int] = {}  # what pairs of idx files are called -> the number of both
        self.kinds: list[str] = []
        self._file: IO[bytes] | None = None

    def begin(self, name: str) -> None:
        """A file under a foreign name comes; what is of no known kind is passed over."""
        ending, kind = _ending(name)
        hidden = clean(name).startswith((".", "_"))
        if ending is None or hidden:
            self.passed_over += 1
            return
        if self.count >= self.limits.files:
            raise TooLargeError(f"an upload may hold {self.limits.files:,} files, however: there are more")
        folder, _, last = name.replace("\\", "/").rpartition("/")
        number = self.count
        if "idx" in ending:  # wherever it lies
            folder, number = "", self.idx.setdefault(_pair(last), number)
        place = self.folder / f"{self.places.setdefault(folder, len(self.places)):06}"
        place.mkdir(exist_ok=True)
        if any(place.glob(f"{number:06}{ending.removesuffix('.gz')}*")):  # the same, packed or from a second folder
            self.passed_over += 1
            return
        self._file = (place / f"{number:06}{ending}").open("xb")
        self.kinds.append(kind)
        if not self.count:
            self._first = clean(name.replace("\\", "/").strip("/").rpartition("/")[0].partition("/")[0]), clean(name)
        self.count += 1

    def write(self, data: bytes) -> None:
        self.bytes += len(data)
        if self.bytes > self.limits.bytes:
            raise TooLargeError(f"an upload may hold {self.limits.bytes:,} bytes, however: there are more")
        if self._file is not None:
            self._file.write(data)

    def end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def finish(self) -> str:
        """What kind of data came, as endings say; zips are unpacked, packed files tried."""
        for path in sorted(self.folder.glob("*/*.zip")):
            self.kinds.remove("")
            self._unpack(path)
            path.unlink()
        for path in self.folder.glob("*/*.gz"):
            self._try(path)
        if not self.kinds:
            known = ", ".join(ending for endings in _ENDINGS.values() for ending in endings)
            raise FileError(f"an upload must bring files of a known kind ({known}), however: there is none")
        return max(_ENDINGS, key=self.kinds.count)

    @property
    def name(self) -> str:
        """What to call it: by its one file, or by the folder in which all lay."""
        folder, file = self._first
        return folder if folder and self.count > 1 else file

    @property
    def labels(self) -> list[str] | None:
        """The last parts of the folders that files said to lie in, by number, if there were several."""
        return [folder.rpartition("/")[2][:80] for folder in self.places] if len(self.places) > 1 else None

    def _unpack(self, path: Path) -> None:
        self.places.clear()  # the zip itself lay nowhere
        packed = path.stat().st_size
        try:
            with zipfile.ZipFile(path) as archive:
                for member in _members(archive, self.limits):
                    if _ending(member.filename)[0] == ".zip":
                        self.passed_over += 1
                        continue
                    self.begin(member.filename)
                    with archive.open(member) as file:
                        size = 0
                        while data := file.read(_CHUNK):
                            size += len(data)
                            self._assert_plausible(size, packed)
                            self.write(data)
                    self.end()
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise FileError(
                "a zip file must be whole and not encrypted, however: it is damaged; pack it anew"
            ) from error

    def _try(self, path: Path) -> None:
        """A gzip file says nothing of its size that can be believed."""
        packed, size = path.stat().st_size, 0
        try:
            with gzip.open(path) as file:
                while data := file.read(_CHUNK):
                    size += len(data)
                    self._assert_plausible(size, packed)
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, FileError):
                raise
            raise FileError("a gzip file must be whole, however: it is damaged; copy it again") from error

    def _assert_plausible(self, size: int, packed: int) -> None:
        if size > self.limits.bytes or (size > 1 << 20 and size > self.limits.ratio * max(packed, 1)):
            raise TooLargeError(
                f"a packed file may become {self.limits.ratio} times as large, however: it becomes more; unpack it"
            )


def _members(archive: zipfile.ZipFile, limits: Limits) -> Iterator[zipfile.ZipInfo]:
    """The files of a zip that may be looked at."""
    members = archive.infolist()
    if len(members) > limits.files:
        raise TooLargeError(f"a zip may hold {limits.files:,} files, however: it holds {len(members):,}")
    for member in members:
        if stat.S_ISLNK(member.external_attr >> 16):
            raise FileError("a zip must hold files, however: it holds a link to elsewhere; pack it without links")
        if not member.is_dir():
            yield member


def _pair(name: str) -> str:
    """What an idx file of images and that of its labels are both called.

    >>> _pair("train-labels.idx1-ubyte.gz"), _pair("train-images-idx3-ubyte")
    ('trainimagesidx3ubyte', 'trainimagesidx3ubyte')
    """
    plain = re.sub(r"[\W_]", "", name.lower().removesuffix(".gz"))
    return plain.replace("labels", "images").replace("idx1", "idx3")


def _ending(name: str) -> tuple[str | None, str]:
    """The longest known ending of a name, and the kind of data that it stands for."""
    found = [
        (ending, kind) for kind, endings in _ENDINGS.items() for ending in endings if name.lower().endswith(ending)
    ]
    return max(found, key=lambda pair: len(pair[0])) if found else (None, "")
