"""Synthetic tables, texts and images from variational autoencoders.

>>> import synthloom as sl
>>> people = sl.datasets.visits(300, seed=0)
>>> table = sl.TableSynthesizer(model="tvae", seed=0, epochs=2).fit(people)
>>> list(table.sample(5, seed=1).columns) == list(people.columns)
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__all__ = [
    "ImageSynthesizer",
    "TableSynthesizer",
    "TextSynthesizer",
    "__version__",
    "datasets",
    "evaluate",
    "load",
    "report",
    "tune",
]

__version__ = "0.1.0"

if TYPE_CHECKING:
    from synthloom import datasets
    from synthloom.evaluation import evaluate
    from synthloom.reporting import report
    from synthloom.synthesizers import ImageSynthesizer, TableSynthesizer, TextSynthesizer, load
    from synthloom.tuning import tune

_HOMES = {
    "ImageSynthesizer": "synthloom.synthesizers",
    "TableSynthesizer": "synthloom.synthesizers",
    "TextSynthesizer": "synthloom.synthesizers",
    "datasets": "synthloom.datasets",
    "evaluate": "synthloom.evaluation",
    "load": "synthloom.synthesizers",
    "report": "synthloom.reporting",
    "tune": "synthloom.tuning",
}


def __getattr__(name: str) -> Any:
    """Import on first use: torch and pandas take seconds, and `synthloom --help` needs neither."""
    if name not in _HOMES:
        raise AttributeError(f"module 'synthloom' has no attribute {name!r}")
    from importlib import import_module

    home = import_module(_HOMES[name])
    return home if home.__name__ == f"synthloom.{name}" else getattr(home, name)


def __dir__() -> list[str]:
    return __all__
