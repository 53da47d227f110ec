"""A sample as a folder of parts, each made from the model, its own number and the seed, wherever there is a processor.

    synthetic/part-00000.parquet    rows in order, the same bytes whoever makes them
    synthetic/part-00001.parquet
    synthetic/_manifest.json        the job, and rows, bytes and SHA-256 of every part that is finished

The manifest says what is left to do, so a job goes on where it was stopped, and says in the end that all is there.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from synthloom import devices, rng
from synthloom.errors import FileError, ModelFileError, UsageError
from synthloom.files import atomic
from synthloom.scale.engines import ENGINES
from synthloom.synthesizers import Synthesizer, load

__all__ = ["Job", "Manifest", "Part", "generate", "make_part"]

_FORMAT = 1
_MANIFEST = "_manifest.json"
_PARTS = 2_000
"""About so many parts at the most: a folder that people can still list, and no more than that lost when one is."""
_WRITE_SECONDS = 1.0
"""Between two writings of the manifest: parts that a kill leaves out of it are made again, to the same bytes."""


@dataclass(frozen=True)
class Job:
    """All that the bytes of the parts depend on, and where model and parts lie."""

    model: str
    folder: str
    sha256: str
    """Of the model file."""
    rows: int
    seed: int
    ending: str
    """Of the parts, which says how they are written."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    """What else the rows shall be like, as `sample` takes it."""
    excel_safe: bool = False

    def to_json(self) -> dict[str, Any]:
        """What tells this job from another: where things lie does not."""
        told = {name: value for name, value in asdict(self).items() if name not in ("model", "folder")}
        return dict(json.loads(json.dumps(told, default=str)))


@dataclass(frozen=True)
class Part:
    """One file that is finished."""

    name: str
    rows: int
    bytes: int
    sha256: str


def make_part(job: Job, number: int) -> Part:
    """Make part `number` of the job and put it in its place: the same bytes on any machine of one kind.

    This is all that an engine has to run. To make a part once more does no harm.
    """
    synthesizer = _opened(job.model, job.sha256)
    shards = synthesizer.shards(job.rows, seed=job.seed, **job.asked)
    each = _shards_per_part(len(shards))
    path = Path(job.folder) / f"part-{number:05}{job.ending}"
    some = (shards[k] for k in range(number * each, min((number + 1) * each, len(shards))))
    with devices.threads(1, 0):  # the last bit of a sum depends on how many threads add it up
        rows = synthesizer.source.write(some, path, excel_safe=job.excel_safe)
    return Part(path.name, rows, path.stat().st_size, _sha256(path))


def generate(
    model: Path | str,
    folder: Path | str,
    rows: int,
    *,
    seed: int | None = None,
    ending: str | None = None,
    asked: Mapping[str, Any] | None = None,
    excel_safe: bool = False,
    engine: str = "local",
    workers: int | None = None,
    address: str | None = None,
    resume: bool = False,
    force: bool = False,
) -> Manifest:
    """Draw `rows` synthetic items into a folder of parts, and return what its manifest says.

    `engine` runs on `workers` processes (none: every core), Ray's also on the cluster at `address`; every worker must
    see the model file and the folder. With `resume` finished parts of the same job stay, if they are as they were; with
    `force` those of another go.
    """
    if engine not in ENGINES:
        raise UsageError(f"engine must be one of {', '.join(ENGINES)}, however: engine={engine!r}")
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be 1 or more, however: workers={workers}")
    model, folder = Path(model).resolve(), Path(folder).resolve()
    synthesizer = load(model)
    synthesizer.assert_apart()
    ending = "." + (ending or synthesizer.source.parts).removeprefix(".")
    begun = Manifest.read(folder) if (resume or force) and (folder / _MANIFEST).exists() else None
    if begun and not resume:
        begun.remove(folder)
        begun = None
    if seed is None:
        seed = begun.job["seed"] if begun else rng.fresh_seed()
    job = Job(str(model), str(folder), _sha256(model), rows, seed, ending, asked or {}, excel_safe)
    shards = synthesizer.shards(rows, seed=seed, **job.asked)  # refuses at once what cannot be
    each = _shards_per_part(len(shards))
    manifest = _begin(folder, job, begun)
    todo = [number for number in range(-(-len(shards) // each)) if f"part-{number:05}{ending}" not in manifest.parts]
    written = time.monotonic()
    try:
        for part in ENGINES[engine](partial(make_part, job), todo, workers, address):
            manifest.parts[part.name] = part
            if time.monotonic() - written > _WRITE_SECONDS:
                manifest.write(folder)
                written = time.monotonic()
    finally:
        manifest.write(folder)
    return manifest


@dataclass(frozen=True)
class Manifest:
    """What a folder of parts is, and which of them are finished."""

    job: dict[str, Any]
    parts: dict[str, Part]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts.values())

    def write(self, folder: Path) -> None:
        """Write it whole; the same parts give the same bytes, in whatever order they came."""
        parts = [asdict(self.parts[name]) for name in sorted(self.parts)]
        document = {"format": _FORMAT, "job": self.job, "complete": self.rows == self.job["rows"], "parts": parts}
        with atomic(folder / _MANIFEST) as path:
            path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a folder."""
        path = folder / _MANIFEST
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["format"] > _FORMAT:
                raise FileError(f"{path} is of format {document['format']}, this synthloom reads {_FORMAT}: update it")
            return cls(dict(document["job"]), {part["name"]: Part(**part) for part in document["parts"]})
        except (ValueError, KeyError, TypeError, OSError) as error:
            if isinstance(error, FileError):
                raise
            raise FileError(f"cannot read the manifest {path} ({error}); begin anew in another folder") from error

    def remove(self, folder: Path) -> None:
        """Remove the parts, and the manifest itself."""
        for name in [*self.parts, _MANIFEST]:
            (folder / name).unlink(missing_ok=True)

    def intact(self, folder: Path) -> Manifest:
        """The same, without the parts that are not as they were written."""
        there = {
            name: part
            for name, part in self.parts.items()
            if (folder / name).is_file()
            and (folder / name).stat().st_size == part.bytes
            and _sha256(folder / name) == part.sha256
        }
        return replace(self, parts=there)


def _begin(folder: Path, job: Job, begun: Manifest | None) -> Manifest:
    """The manifest to go on with, written once so that a folder that cannot be written shows itself now."""
    if begun is not None:
        new = job.to_json()
        differ = [
            f"{name} was {was!r} and is {new.get(name)!r}" for name, was in begun.job.items() if new.get(name) != was
        ]
        if differ:
            raise UsageError(
                f"{folder} can only go on with the job that began it, however: {'; '.join(differ)}; set these as they "
                f"were, or use another folder"
            )
        return begun.intact(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise FileError(f"a folder of parts must be new or empty, however: {folder} is not; use another name, --resume")
    manifest = Manifest(job.to_json(), {})
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    manifest.write(folder)
    return manifest


def _shards_per_part(shards: int) -> int:
    """Depends on the job alone, never on who works at it."""
    return max(1, -(-shards // _PARTS))


@lru_cache(maxsize=1)  # a worker makes one part after the other
def _opened(model: str, sha256: str) -> Synthesizer[Any]:
    if _sha256(Path(model)) != sha256:
        raise ModelFileError(f"every worker must see the same model, however: {model} has changed, or is another here")
    return load(model)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
