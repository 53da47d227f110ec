"""What a private codec knows comes from noisy counts, to each of which a row adds one at the most."""

import json

import numpy as np
import pandas as pd
import pytest

from synthloom import rng
from synthloom.codecs import private
from synthloom.codecs.columns import Options
from synthloom.codecs.private import learn
from synthloom.errors import DataError, UsageError
from synthloom.privacy import Account

pytest.importorskip("opacus")


def table(rows=4_000, seed=0):
    chance = np.random.default_rng(seed)
    age = np.clip(chance.normal(45, 15, rows).round(), 18, 90)
    return pd.DataFrame(
        {
            "age": age.astype(np.int64),
            "gain": np.where(chance.random(rows) < 0.9, 0, chance.integers(1_000, 9_000, rows)),
            "cost": chance.lognormal(5, 1, rows).round(2),
            "score": chance.normal(0, 1, rows),
            "ward": chance.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
            "back": chance.random(rows) < 0.3,
            "seen": pd.Timestamp("2024-01-01") + pd.to_timedelta(chance.integers(0, 365, rows), unit="D"),
            "stay": pd.to_timedelta(chance.integers(1, 90, rows), unit="h"),
            "bmi": np.where(chance.random(rows) < 0.2, np.nan, chance.normal(27, 4, rows).round(1)),
        }
    )


def learnt(df, epsilon=50.0, schema=None, delta=1e-6, **options):
    account = Account(epsilon, delta, len(df))
    return *learn(df, schema, Options(**options), account)[:2], account


def test_columns_come_back_as_they_are_distributed():
    df = table()
    codec, marginals, _ = learnt(df)
    drawn = codec.decode(marginals.batch(4_000, seed=0))
    assert list(drawn.dtypes) == list(df.dtypes)
    for name in ("age", "gain", "cost", "score", "bmi"):
        real, made = np.sort(df[name].dropna()), np.sort(drawn[name].dropna())
        distance = np.abs(
            np.searchsorted(real, real, "right") / len(real) - np.searchsorted(made, real, "right") / len(made)
        )
        assert distance.max() < 0.08, name
    for name in ("ward", "back"):
        shares = pd.concat([df[name].value_counts(normalize=True), drawn[name].value_counts(normalize=True)], axis=1)
        assert (shares.iloc[:, 0] - shares.iloc[:, 1]).abs().max() < 0.04, name
    assert drawn["gain"].eq(0).mean() == pytest.approx(df["gain"].eq(0).mean(), abs=0.03)
    assert drawn["bmi"].isna().mean() == pytest.approx(df["bmi"].isna().mean(), abs=0.03)
    assert [drawn[name].notna().all() for name in ("age", "ward", "seen")] == [True] * 3
    assert (drawn["seen"] == drawn["seen"].dt.normalize()).all()
    assert drawn["cost"].round(2).eq(drawn["cost"]).all()


def test_real_rows_encode_and_decode():
    df = table(500)
    codec, _, _ = learnt(df, epsilon=50)
    batch = codec.encode(df)
    assert batch.known_BC.float().mean() > 0.95
    back = codec.decode(codec.encode(df, spread=False))
    assert (back["ward"] == df["ward"]).mean() > 0.95
    assert (back["age"] - df["age"]).abs().max() <= 16


def test_a_row_more_changes_each_count_by_one_at_the_most(monkeypatch):
    """The sensitivity that the account rests on, for whatever row that may be."""
    asked: list[np.ndarray] = []
    exact = private.np.bincount

    def note(*args, **kwargs):
        asked.append(exact(*args, **kwargs))
        return asked[-1]

    monkeypatch.setattr(private.np, "bincount", note)
    monkeypatch.setattr(rng, "secret_normal", np.zeros)
    df = table(600)
    strange = df.iloc[:1].assign(age=10**12, gain=-5, cost=0.123, ward="a", bmi=np.nan, score=1e30)
    schema = {"ward": {"type": "category", "values": ["a", "b"]}}
    runs = []
    for frame in (df, pd.concat([df, strange], ignore_index=True)):
        asked.clear()
        learn(frame, schema, Options(), Account(8.0, 1e-6, 600))
        runs.append(list(asked))
    assert len(runs[0]) == len(runs[1]) > 20
    for one, other in zip(*runs, strict=True):
        assert len(one) == len(other)
        assert np.abs(one - other).sum() <= 1


@pytest.mark.parametrize("epsilon", [1.0, 0.1])
@pytest.mark.parametrize("protect", [True, False])
def test_no_value_of_one_row_is_named(epsilon, protect):
    rows = 20_000
    df = pd.DataFrame(
        {
            "name": [f"person {i:05d}" for i in range(rows)],
            "code": np.random.default_rng(0).permutation(rows) * 7919.5,
            "city": np.where(np.arange(rows) % 2, "here", "there"),
            "level": pd.Categorical([f"l{i}" for i in range(rows)]),
            "pay": np.append(np.full(rows - 1, 3_000), 123_456_789),
        }
    )
    codec, marginals, account = learnt(df, epsilon, {"code": "category"}, delta=1e-9, protect=protect)
    document, arrays = codec.state()
    told = json.dumps(document) + json.dumps({name: array.tolist() for name, array in arrays.items()})
    assert "person" not in told
    assert '"l1' not in told
    assert "123456789" not in told.replace(".0", "")
    assert codec.columns_[1].values == []
    assert account.spent() <= epsilon
    drawn = codec.decode(marginals.batch(1_000, seed=0))
    assert set(drawn["name"]) == {"<other>"}
    assert drawn["pay"].max() < 10**6
    if epsilon == 1.0:
        assert set(drawn["city"]) == {"here", "there"}


@pytest.mark.parametrize("epsilon", [1.0, 0.1])
def test_the_threshold_alone_holds_values_of_one_row_back(epsilon, monkeypatch):
    """With all of epsilon for one column, and no protection; by a rule of thumb, three standard deviations, some go."""
    rows = 20_000
    account, names = Account(epsilon, 1e-9, rows), [f"person {i}" for i in range(rows)]
    counter = private._Counter(account, account.noise_for(1.0, 1), 1)
    assert counter.name(np.arange(rows), names, fewest=1)[0] == []
    monkeypatch.setattr(Account, "threshold", lambda *_: 3 * counter.noise)
    assert counter.name(np.arange(rows), names, fewest=1)[0]


def test_a_declared_list_is_given_out_as_it_is_and_nothing_else():
    df = pd.DataFrame({"ward": ["x", "y", "secret"] * 300, "n": np.arange(900)})
    codec, _, account = learnt(df, 2.0, {"ward": {"type": "category", "values": ["x", "y", "z"]}})
    assert codec.columns_[0].values == ["x", "y", "z"]
    assert account.slips == 0


def test_identifiers_are_made_up():
    df = pd.DataFrame({"id": [f"P-{i:04d}" for i in range(900)], "n": np.arange(900) % 7})
    codec, marginals, _ = learnt(df, 2.0, {"id": "identifier"})
    made = codec.decode(marginals.batch(200, seed=0))["id"]
    assert made.is_unique
    assert not made.str.startswith("P-").any()


def test_what_the_dtype_does_not_say_is_refused():
    df = pd.DataFrame({"day": ["2024-01-01", "2024-02-01"] * 200, "n": range(400)})
    with pytest.raises(DataError, match=r"pandas\.to_datetime"):
        learnt(df, schema={"day": "datetime"})
    dates = df.assign(day=pd.to_datetime(df["day"]).dt.date)
    with pytest.raises(DataError, match="must be text, numbers or booleans"):
        learnt(dates)
    with pytest.raises(UsageError, match="decimals"):
        learnt(df, schema={"n": {"type": "number", "decimals": 2}})
