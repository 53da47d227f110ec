"""Judgement: (real, synthetic, holdout, context) -> Score. Metrics see data, never models, so they can judge anyone's.

Adding one is a function in a file of this folder and a line in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from synthloom.metrics.privacy import copy_rate, dcr_share
from synthloom.metrics.score import Context, Score
from synthloom.metrics.table import detection, shape_error, trend_error, utility, utility_real, wnmi_error

__all__ = ["METRICS", "Context", "Metric", "Score"]

Metric: TypeAlias = Callable[..., Score]
"""(real, synthetic, holdout or None, context) -> Score; the first three as that kind of data is read."""

METRICS: Mapping[str, Mapping[str, Metric]] = {
    "table": {
        "shape_error": shape_error,
        "trend_error": trend_error,
        "wnmi_error": wnmi_error,
        "detection": detection,
        "utility": utility,
        "utility_real": utility_real,
        "copy_rate": copy_rate,
        "dcr_share": dcr_share,
    },
}
"""Kind of data -> name of the score -> what computes it, in the order in which they are shown."""
