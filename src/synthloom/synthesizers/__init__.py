"""What people hold: fit, sample, reconstruct, interpolate, vary, score, save. One class per kind of data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthloom import archive
from synthloom.errors import ModelFileError
from synthloom.synthesizers.base import Synthesizer
from synthloom.synthesizers.image import ImageSynthesizer
from synthloom.synthesizers.table import TableSynthesizer
from synthloom.synthesizers.text import TextSynthesizer

__all__ = ["SYNTHESIZERS", "ImageSynthesizer", "Synthesizer", "TableSynthesizer", "TextSynthesizer", "load"]

SYNTHESIZERS: dict[str, type[Synthesizer[Any]]] = {
    "table": TableSynthesizer,
    "text": TextSynthesizer,
    "image": ImageSynthesizer,
}
"""Kind of data -> class."""


def load(path: Path | str) -> Synthesizer[Any]:
    """The synthesizer that was saved to `path`. Reading runs nothing that the file holds."""
    stored = archive.read(path)
    kind = stored.documents.get("info", {}).get("kind")
    if kind not in SYNTHESIZERS:
        raise ModelFileError(f"{path} must hold a model of {', '.join(SYNTHESIZERS)}, however: its kind is {kind!r}")
    return SYNTHESIZERS[kind].from_archive(stored)
