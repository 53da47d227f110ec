"""Models: one file each, its knobs and the recipe that builds its network. To add one: a file, and a line here."""

from __future__ import annotations

from synthloom.errors import UsageError
from synthloom.models.base import Among, Model, Range, TableModel
from synthloom.models.image import ImageModel
from synthloom.models.image_conv import ImageConv
from synthloom.models.image_nvae import ImageNVAE
from synthloom.models.table_nvae import TableNVAE
from synthloom.models.table_tvae import TVAE
from synthloom.models.text import TextModel
from synthloom.models.text_nvae import TextNVAE
from synthloom.models.text_recurrent import TextGRU, TextLSTM
from synthloom.models.text_transformer import VTP, VTS, VTV, TextTransformer

__all__ = ["MODELS", "Among", "ImageModel", "Model", "Range", "TableModel", "TextModel", "find"]

MODELS: dict[tuple[str, str], type[Model]] = {
    ("table", "nvae"): TableNVAE,
    ("table", "tvae"): TVAE,
    ("text", "nvae"): TextNVAE,
    ("text", "transformer"): TextTransformer,
    ("text", "vtv"): VTV,
    ("text", "vtp"): VTP,
    ("text", "vts"): VTS,
    ("text", "gru"): TextGRU,
    ("text", "lstm"): TextLSTM,
    ("image", "conv"): ImageConv,
    ("image", "nvae"): ImageNVAE,
}
"""(kind of data, name) -> model; the first of a kind is its default."""


def find(kind: str, name: str | None) -> type[Model]:
    """The model called `name`, or the kind's default."""
    names = [known for of_kind, known in MODELS if of_kind == kind]
    if name is None:
        return MODELS[kind, names[0]]
    if (kind, name) not in MODELS:
        raise UsageError(f"a model of {kind}s must be one of {', '.join(names)}, however: {name!r}")
    return MODELS[kind, name]
