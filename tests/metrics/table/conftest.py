import numpy as np
import pandas as pd
import pytest

from synthloom.metrics import Context
from synthloom.metrics.table.read import read_tables


@pytest.fixture(scope="session")
def people():
    """people(n, seed): n rows of one law, six numbers and four categories that depend on each other."""

    def draw(n, seed):
        rng = np.random.default_rng(seed)
        age, wealth = rng.gamma(4, 10, n), rng.normal(size=n)
        return pd.DataFrame(
            {
                "age": age.round(),
                "income": np.exp(wealth + age / 60 + rng.normal(0, 0.3, n)).round(2),
                "hours": (40 + 5 * wealth + rng.normal(0, 3, n)).round(),
                "height": rng.normal(170, 10, n),
                "debt": np.where(wealth < 0, rng.exponential(5, n) - 3 * wealth, 0.0),
                "score": wealth + rng.normal(0, 0.5, n),
                "sex": rng.choice(["f", "m"], n),
                "region": rng.choice(list("abcde"), n, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
                "school": np.select([wealth < -0.5, wealth < 0.7], ["low", "middle"], "high"),
                "owner": np.where(wealth + rng.normal(0, 0.5, n) > 0, "yes", "no"),
            }
        )

    return draw


@pytest.fixture(scope="session")
def shuffled():
    """shuffled(frame): its columns, each shuffled on its own."""

    def shuffle(frame, seed=9):
        rng = np.random.default_rng(seed)
        return pd.DataFrame({name: rng.permutation(frame[name].to_numpy()) for name in frame})

    return shuffle


@pytest.fixture(scope="session")
def noise():
    """noise(frame): numbers and categories of the same range, all as likely."""

    def draw(frame, seed=8):
        rng = np.random.default_rng(seed)
        return pd.DataFrame(
            {
                name: rng.uniform(column.min(), column.max(), len(column))
                if column.dtype.kind == "f"
                else rng.choice(column.unique(), len(column))
                for name, column in frame.items()
            }
        )

    return draw


@pytest.fixture(scope="session")
def judge():
    """judge(metric, real, synthetic, holdout): its score, of frames or of whatever makes one."""

    def score(metric, real, synthetic, holdout=None, columns=None, **context):
        frames = {"real": pd.DataFrame(real), "synthetic": pd.DataFrame(synthetic)}
        if holdout is not None:
            frames["holdout"] = pd.DataFrame(holdout)
        tables, _ = read_tables(frames, columns)
        return metric(*tables[:2], tables[2] if holdout is not None else None, Context(**context))

    return score
