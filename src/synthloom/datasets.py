"""Small made-up data for documents, tests and the first run: nobody real is in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthloom.rng import generator

__all__ = ["notes", "shapes", "visits"]

_WARDS = ["cardiology", "oncology", "neurology", "surgery", "paediatrics", "emergency"]
_DRUGS = ["none", "statin", "insulin", "beta blocker", "opioid"]


def visits(rows: int = 4_000, seed: int = 0) -> pd.DataFrame:
    """Hospital visits: numbers, categories, dates, gaps and an identifier, with dependencies worth finding.

    >>> visits(3).columns.tolist()[:4]
    ['patient_id', 'admitted', 'ward', 'sex']
    """
    rng = generator("visits", seed)
    ward = rng.choice(_WARDS, rows, p=[0.25, 0.15, 0.1, 0.2, 0.1, 0.2])
    child = ward == "paediatrics"
    age = np.where(child, rng.integers(0, 18, rows), np.clip(rng.normal(58, 17, rows), 18, 99)).astype(int)
    sex = rng.choice(["f", "m"], rows)
    smoker = (rng.random(rows) < np.where(age < 16, 0, 0.24)).astype(bool)
    pressure = np.round(105 + 0.4 * age + 8 * smoker + rng.normal(0, 11, rows)).astype(int)
    day = rng.integers(0, 730, rows)
    day = np.where((day % 7 >= 5) & (ward != "emergency") & (rng.random(rows) < 0.7), day - 2, day)  # quiet weekends
    stay = np.where(ward == "emergency", 0, rng.poisson(np.where(ward == "surgery", 5, 2) + age / 40)).astype(int)
    cost = np.round(180 + 640.0 * stay * rng.lognormal(0, 0.25, rows) + 900 * (ward == "oncology"), 2)
    marker = np.round(rng.lognormal(0.4 + 0.9 * (ward == "oncology"), 0.5, rows), 1)
    measured = rng.random(rows) < np.where(ward == "oncology", 0.95, 0.35)
    drug = np.where(pressure > 145, "beta blocker", rng.choice(_DRUGS, rows, p=[0.5, 0.2, 0.12, 0.1, 0.08]))
    chance = 1 / (1 + np.exp(3.2 - 0.02 * age - 0.25 * stay - 0.5 * smoker - 0.6 * (drug == "opioid")))
    letters = np.array(list("ABCDEFGHJKLMNPQRSTUVWXYZ"))
    number = rng.permutation(900_000)[:rows] + 100_000
    return pd.DataFrame(
        {
            "patient_id": [
                f"{a}{b}-{n}" for (a, b), n in zip(letters[rng.integers(0, 24, (rows, 2))], number, strict=True)
            ],
            "admitted": pd.Timestamp("2023-01-01") + pd.to_timedelta(day, unit="D"),
            "ward": ward,
            "sex": sex,
            "age": age,
            "smoker": smoker,
            "blood_pressure": pressure,
            "drug": drug,
            "tumour_marker": np.where(measured, marker, np.nan),
            "days_in_hospital": stay,
            "cost": cost,
            "readmitted": np.where(rng.random(rows) < chance, "yes", "no"),
        }
    )


_OPENINGS = ["", "honestly, ", "all in all ", "after two days ", "this time ", "as a visitor: ", "on monday ", "yes, "]
_PLACES = [
    f"{which} {place}"
    for which in ("the", "your", "that new")
    for place in ("ward", "kitchen", "garden", "front desk", "night shift", "x-ray room", "lift", "waiting room")
]
_JUDGED = {
    "praise": ["was a delight", "could not be better", "made my mother smile", "is a good place to be"],
    "complaint": ["was far too loud", "kept us waiting for hours", "smells of paint", "never answers the phone"],
}
_ENDINGS = ["", " again", ", as always", " and everybody said so", ", thank you", " in spite of the rain", "!", "."]


def notes(count: int = 1_000, seed: int = 0) -> pd.DataFrame:
    """Short notes on a hospital: a column "text", and whether each is a praise or a complaint in "label".

    >>> notes(2)["text"].tolist()
    ['honestly, the kitchen could not be better!', 'this time that new kitchen was a delight.']
    """
    rng = generator("notes", seed)
    label = rng.choice(list(_JUDGED), count)
    parts = [
        (
            _OPENINGS[rng.integers(len(_OPENINGS))],
            _PLACES[rng.integers(len(_PLACES))],
            " " + _JUDGED[kind][rng.integers(4)],
            _ENDINGS[rng.integers(len(_ENDINGS))],
        )
        for kind in label
    ]
    return pd.DataFrame({"text": ["".join(part) for part in parts], "label": label})


def shapes(count: int = 1_000, seed: int = 0, size: int = 16) -> tuple[NDArray[Any], list[str]]:
    """Small grey images [count, size, size] of a disc, a square or a cross somewhere, and which of them each shows.

    >>> images, labels = shapes(3)
    >>> images.shape, labels
    ((3, 16, 16), ['cross', 'disc', 'disc'])
    """
    rng = generator("shapes", seed)
    names = ["disc", "square", "cross"]
    kind_N = rng.integers(0, 3, count)
    radius_N = rng.uniform(0.18, 0.32, count)
    middle_2N = rng.uniform(0.35, 0.65, (2, count))
    place_S = (np.arange(size) + 0.5) / size
    y_NS1, x_N1S = (np.abs(place_S - middle_N[:, None]) for middle_N in middle_2N)
    y_NSS, x_NSS = np.broadcast_arrays(y_NS1[:, :, None], x_N1S[:, None, :])
    radius_N11 = radius_N[:, None, None]
    beyond_KNSS = np.stack(
        [
            np.hypot(y_NSS, x_NSS) - radius_N11,
            np.maximum(y_NSS, x_NSS) - 0.9 * radius_N11,
            np.maximum(np.minimum(y_NSS, x_NSS) - 0.3 * radius_N11, np.maximum(y_NSS, x_NSS) - radius_N11),
        ]
    )
    beyond_NSS = beyond_KNSS[kind_N, np.arange(count)]
    level_N11 = rng.uniform(0.6, 1.0, count)[:, None, None]
    level_NSS = np.clip(0.5 - beyond_NSS * size, 0, 1) * level_N11  # edges are a pixel wide
    return np.round(255 * level_NSS).astype(np.uint8), [names[kind] for kind in kind_N]
