"""Tables under differential privacy: what may be spent on what, and what the model says of it afterwards."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from synthloom import rng, training
from synthloom.codecs.columns import Options
from synthloom.codecs.private import Marginals, learn
from synthloom.codecs.table import TableCodec
from synthloom.models import TableModel
from synthloom.privacy import Account, Entry
from synthloom.schema import Overrides
from synthloom.synthesizers.base import Lesson
from synthloom.training import Private

__all__ = ["private_lesson"]

_STAND_IN = 2_000, 50_000
"""Rows of the stand-in, at the least and at the most."""


def private_lesson(
    df: pd.DataFrame, schema: Overrides | None, options: Options, model: TableModel, seed: int, resumed: Path | None
) -> tuple[TableCodec, Lesson]:
    """The codec and what to learn from, within the budget: first the columns' statistics, then steps with the rest.

    A run that goes on from a checkpoint goes on with what that run had found out, and has spent.
    """
    assert model.epsilon is not None
    assert model.clip is not None
    if resumed is not None and resumed.exists():
        memo = training.checkpoint_memo(resumed)
    else:
        memo = _begin(df, schema, options, model, seed)
    account = Account.from_json(memo["account"])
    codec = _codec_from_json(memo["codec"])
    fewest, most = _STAND_IN
    stand_in = Marginals(**memo["marginals"]).batch(min(most, max(fewest, account.rows)), seed)
    rate = min(1.0, model.batch_size / account.rows)
    private = Private(rate, memo["noise"], model.clip, memo["steps"], account.rows, stand_in, memo)

    def told() -> dict[str, Any]:
        account.spend(Entry(private.noise, rate, private.taken))
        return {"items": account.rows, "privacy": _statement(account, memo["counts"])}

    # what spreads rows inside their stretch is hidden like all other chance: or one row less would show in all others
    hidden = copy.copy(codec)
    hidden.seed = memo["secret"]
    return codec, Lesson(hidden.encode(df), memo["secret"], private, stand_in, told)


def _begin(
    df: pd.DataFrame, schema: Overrides | None, options: Options, model: TableModel, seed: int
) -> dict[str, Any]:
    """All that is found out before training, as JSON: it is kept with the checkpoint."""
    assert model.epsilon is not None
    account = Account.open(model.epsilon, len(df), model.privacy_delta)
    codec, marginals, counts = learn(df, schema, options, account)
    steps = model.settings(seed, account.rows).epochs * math.ceil(account.rows / model.batch_size)
    noise = account.noise_for(min(1.0, model.batch_size / account.rows), steps)
    return {
        "seed": seed,
        "secret": rng.fresh_seed(),
        "account": account.to_json(),
        "codec": _codec_to_json(codec),
        "marginals": {"shares": marginals.shares, "numbered": marginals.numbered},
        "counts": counts,
        "noise": noise,
        "steps": steps,
    }


def _statement(account: Account, counts: float) -> dict[str, Any]:
    """What a reader of the model needs to know to believe it."""
    spent = account.spent()
    return {
        "statement": (
            f"With one row more or less in the training table, anything that this model may show would be at most "
            f"e^{spent:.3g} times as likely, but for a chance of {account.delta:.2g}: ({spent:.3g}, "
            f"{account.delta:.2g})-differential privacy, of a budget of {account.epsilon:g}. Names, order and dtypes "
            f"of the columns count as public, and so does what the schema declares."
        ),
        "epsilon": account.epsilon,
        "delta": account.delta,
        "spent": spent,
        "noise_of_counts": counts,
        "questions": [entry._asdict() for entry in account.entries],
    }


def _codec_to_json(codec: TableCodec) -> dict[str, Any]:
    document, arrays = codec.state()
    return {"document": document, "arrays": {name: array.tolist() for name, array in arrays.items()}}


def _codec_from_json(state: dict[str, Any]) -> TableCodec:
    return TableCodec.load(
        state["document"], {name: np.array(numbers, np.float64) for name, numbers in state["arrays"].items()}
    )
