"""A tiny data set for each kind of data, and what a law needs to know of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

import synthloom as sl
from synthloom.models import MODELS
from synthloom.sources import SOURCES, Images, Texts
from synthloom.synthesizers import SYNTHESIZERS


@dataclass
class Tiny:
    """Data to fit in a second, and how to compare it."""

    kind: str
    items: Any
    knobs: dict[str, Any]
    """What makes a fit take about a second, and still teaches enough for the laws."""
    too_large: dict[str, dict[str, Any]]
    """By model: knobs of a network that no machine can hold."""
    scramble: Callable[[Any], Any]
    """Items that have everything but what goes with what."""
    spoken: Callable[[Any], Any] = lambda items: items
    """What the network speaks of: all but what is made anew each time."""
    narrow: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By model: knobs of a latent small enough for a prior to be fitted in a moment."""
    ending: str = ".csv"
    """A file that its items go to."""

    def new(self, model, **knobs):
        return SYNTHESIZERS[self.kind](model, **self.knobs | knobs)

    def take(self, *index):
        return SOURCES[self.kind].take(self.items, list(index))

    def same(self, one, other):
        if isinstance(one, pd.DataFrame):
            pd.testing.assert_frame_equal(one, other)
            return True
        return bool(np.array_equal(one, other))


def scrambled_rows(frame):
    rng = np.random.default_rng(0)
    return frame.apply(lambda column: column.to_numpy()[rng.permutation(len(frame))]).astype(frame.dtypes)


def scrambled_words(texts):
    rng = np.random.default_rng(0)
    words = [np.array(text.split()) for text in texts]
    return Texts([" ".join(rng.permutation(some)) for some in words], texts.labels)


def scrambled_pixels(images):
    rng = np.random.default_rng(0)
    level_NK = np.asarray(images).reshape(len(images), -1)
    return Images(rng.permuted(level_NK, axis=1).reshape(images.shape), images.labels)


def some_shapes():
    levels, labels = sl.datasets.shapes(120, seed=0, size=8)
    order = np.argsort(labels, kind="stable")  # neighbours share their label
    return Images(levels[order], np.array(labels)[order])


NOTES = sl.datasets.notes(300, seed=0).sort_values("label", kind="stable")  # neighbours share their label

KINDS = {
    "table": Tiny(
        "table",
        sl.datasets.visits(400, seed=0),
        {"seed": 0, "epochs": 10, "batch_size": 100},
        {"tvae": {"compress_dims": (400_000, 400_000)}, "nvae": {"width": 400_000}},
        scrambled_rows,
        lambda frame: frame.drop(columns="patient_id").reset_index(drop=True),
        {"tvae": {"embedding_dim": 4}, "nvae": {"size": 1}},
    ),
    "text": Tiny(
        "text",
        Texts(NOTES["text"], NOTES["label"]),
        {"seed": 0, "epochs": 6, "batch_size": 50, "width": 16, "size": 4, "pieces": 400, "longest": 32}
        | {"prior": "mixture"},
        {name: {"width": 400_000} for kind, name in MODELS if kind == "text"},
        scrambled_words,
        narrow={name: {"size": 2} for kind, name in MODELS if kind == "text"},
    ),
    "image": Tiny(
        "image",
        some_shapes(),
        {"seed": 0, "epochs": 6, "batch_size": 20, "width": 8, "size": 4, "prior": "mixture"},
        {name: {"width": 400_000} for kind, name in MODELS if kind == "image"},
        scrambled_pixels,
        narrow={name: {"size": 1} for kind, name in MODELS if kind == "image"},
        ending=".npz",
    ),
}


@pytest.fixture(scope="session", params=list(MODELS), ids="-".join)
def each(request):
    """Each model there is, as its tiny data and its name."""
    kind, name = request.param
    return KINDS[kind], name


@pytest.fixture(scope="session")
def fitted(each):
    tiny, name = each
    return tiny.new(name).fit(tiny.items)
