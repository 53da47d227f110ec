"""Judgement: (real, synthetic, holdout, context) -> Score. Metrics see data, never models, so they can judge anyone's.

Adding one is a function in a file of this folder and a line in `METRICS`; a kind of data is a folder, a line in
`READERS` that says how its data are read, and its lines in `METRICS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from synthloom.metrics.image.copies import copy_rate as image_copy_rate
from synthloom.metrics.image.read import read as read_images
from synthloom.metrics.image.space import coverage, density, frechet_distance, precision, recall
from synthloom.metrics.image.utility import utility as image_utility
from synthloom.metrics.score import Context, Roles, Score
from synthloom.metrics.table.attribute import attribute_inference
from synthloom.metrics.table.columns import missing_error, shape_error
from synthloom.metrics.table.copies import copy_rate, dcr_share
from synthloom.metrics.table.detection import detection
from synthloom.metrics.table.membership import membership_auc, membership_outliers
from synthloom.metrics.table.pairs import trend_error, wnmi_error
from synthloom.metrics.table.read import read as read_table
from synthloom.metrics.table.support import alpha_precision, beta_recall
from synthloom.metrics.table.utility import utility, utility_real
from synthloom.metrics.text import copies, fluency, labels, reconstruction, variety
from synthloom.metrics.text.read import read as read_texts

__all__ = ["BASELINES", "METRICS", "READERS", "Context", "Metric", "Reader", "Roles", "Score"]

Metric: TypeAlias = Callable[..., Score]
"""(real, synthetic, holdout or None, context) -> Score; the first three as that kind of data is read."""

Reader: TypeAlias = Callable[[Mapping[str, Any], Context], tuple[list[Any], list[str]]]
"""({"real": ..., "synthetic": ..., perhaps "holdout": ...}, context) -> what metrics take, in that order, and notes."""

READERS: Mapping[str, Reader] = {"table": read_table, "text": read_texts, "image": read_images}
"""Kind of data -> from what people hold to what its metrics take."""

BASELINES: Mapping[str, str] = {
    "table": "what the real columns score once each is shuffled on its own",
    "text": "what the words of real texts score once they are dealt anew",
}
"""Kind of data -> what its baseline is: a generator that has learnt nothing of how things hang together."""

METRICS: Mapping[str, Mapping[str, Metric]] = {
    "table": {
        "shape_error": shape_error,
        "missing_error": missing_error,
        "trend_error": trend_error,
        "wnmi_error": wnmi_error,
        "alpha_precision": alpha_precision,
        "beta_recall": beta_recall,
        "detection": detection,
        "utility": utility,
        "utility_real": utility_real,
        "copy_rate": copy_rate,
        "dcr_share": dcr_share,
        "membership_auc": membership_auc,
        "membership_outliers": membership_outliers,
        "attribute_inference": attribute_inference,
    },
    "text": {
        "recon_bleu": reconstruction.recon_bleu,
        "forward_ppl": fluency.forward_ppl,
        "reverse_ppl": fluency.reverse_ppl,
        "self_bleu": variety.self_bleu,
        "distinct_2": variety.distinct_2,
        "length_error": variety.length_error,
        "utility": labels.utility,
        "label_match": labels.label_match,
        "novelty": variety.novelty,
        "overlap_8": copies.overlap_8,
        "exposure": copies.exposure,
    },
    "image": {
        "frechet_distance": frechet_distance,
        "precision": precision,
        "recall": recall,
        "density": density,
        "coverage": coverage,
        "utility": image_utility,
        "copy_rate": image_copy_rate,
    },
}
"""Kind of data -> name of the score -> what computes it, in the order in which they are shown."""
