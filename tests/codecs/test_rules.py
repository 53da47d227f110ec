"""Rules: what they say of rows, what they allow while a row is written, and what is refused."""

import numpy as np
import pandas as pd
import pytest
import torch

from synthloom.codecs.columns import Options
from synthloom.codecs.expressions import Expression
from synthloom.codecs.rules import Rules
from synthloom.codecs.table import TableCodec, pack, unpack
from synthloom.errors import DataError, UsageError
from synthloom.likelihoods.limits import choose, truncated
from synthloom.rng import seeded
from synthloom.spec import Limit, TableBatch


def trips(rows=600, seed=0):
    """A table in which all the rules below hold."""
    rng = np.random.default_rng(seed)
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), "D")
    city = rng.choice(["Rome", "Milan", "Paris", "Lyon", "Bonn"], rows, p=[0.4, 0.2, 0.2, 0.15, 0.05])
    nation = pd.Series(city).map({"Rome": "it", "Milan": "it", "Paris": "fr", "Lyon": "fr", "Bonn": "de"}).to_numpy()
    way = rng.integers(0, 3, rows)
    low = np.round(rng.gamma(2, 40, rows), 2)
    return pd.DataFrame(
        {
            "start": start,
            "end": start + pd.to_timedelta(rng.integers(0, 20, rows), "D"),
            "city": city,
            "nation": nation,
            "zip code": pd.Series(city).map({"Rome": 100, "Milan": 20100, "Paris": 75000, "Lyon": 69000, "Bonn": 53100})
            + rng.integers(0, 2, rows),
            "bus": (way == 0).astype(int),
            "train": way == 1,
            "plane": np.where(way == 2, 1, 0),
            "low": low,
            "high": np.where(rng.random(rows) < 0.2, np.nan, np.round(low + rng.gamma(2, 10, rows), 2)),
            "age": rng.integers(18, 80, rows),
        }
    )


RULES = [
    "start <= end",
    "low < high",
    "18 <= age < 80",
    "fixed(city, nation, `zip code`)",
    "one_hot(bus, train, plane)",
    "start >= '2024-01-01' and not (city == 'Rome' and nation != 'it')",
]


@pytest.fixture(scope="module", params=["quantile", "gmm"])
def learnt(request):
    real = trips()
    codec = TableCodec(Options(numbers=request.param, common=20)).fit(real)
    rules = Rules(codec, RULES)
    assert rules.learn(real) == []
    return codec, rules, real


def one_by_one(codec, rules, rows, seed):
    """Write rows in a random order by a network that knows nothing, each cell as free as the rules leave it."""
    row = TableBatch.unknown(rows, len(codec.spec.blocks))
    with seeded("rows", seed):
        for c in torch.randperm(len(codec.spec.blocks)).tolist():
            block = codec.spec.blocks[c]
            limit = rules(c, row)
            if limit is None:
                limit = Limit.of(torch.ones(1, block.choices) > 0)
            logits_BK = torch.randn(rows, block.choices)
            drawn = choose(
                logits_BK, lambda part_BP: (torch.zeros(part_BP.shape), torch.ones(part_BP.shape)), limit, 1.0
            )
            number_B = truncated(torch.zeros(rows), torch.ones(rows), drawn) * (drawn.choice_B < block.numbered)
            row.choice_BC[:, c], row.value_BC[:, c], row.known_BC[:, c] = drawn.choice_B, number_B, True
    return row


@pytest.mark.parametrize("seed", range(4))
def test_rows_written_within_the_limits_keep_the_rules_in_any_order(learnt, seed):
    """However bad a network is: only dead ends and rounding are left to be drawn again."""
    codec, rules, _ = learnt
    row = one_by_one(codec, rules, 300, seed)
    frame = codec.decode(row)
    for rule in rules.rules:
        share = rule.holds(frame).mean()
        assert share > (0.6 if rule.text in ("start <= end", "low < high") else 0.98), rule.text


def test_what_breaks_a_rule_is_found(learnt):
    _, rules, real = learnt
    assert rules.holds(real).all()
    wrong = {
        "start <= end": {"end": pd.Timestamp("2023-12-31")},
        "low < high": {"high": 0.0},
        "18 <= age < 80": {"age": 80},
        "fixed(city, nation, `zip code`)": {"nation": "de", "city": "Rome"},
        "one_hot(bus, train, plane)": {"bus": 1, "train": True},
    }
    for rule in rules.rules[:5]:
        assert not rule.holds(real.head(1).assign(**wrong[rule.text])).any(), rule.text
    assert rules.rules[1].holds(real.assign(high=np.nan)).all()  # of a gap a rule says nothing


def test_rules_come_back_from_plain_data(learnt):
    codec, rules, real = learnt
    arrays = {}
    document = pack(rules.state(), "rules", arrays)
    again = Rules.load(codec, unpack(document, "rules", arrays))
    for seed in (0, 1):
        one, other = (one_by_one(codec, r, 50, seed) for r in (rules, again))
        assert torch.equal(one.choice_BC, other.choice_BC)
    assert (again.holds(real.assign(city="Rome")) == rules.holds(real.assign(city="Rome"))).all()


def test_keys_are_unique_across_all_rows_of_a_sample():
    real = trips()
    codec = TableCodec().fit(real)
    rules = Rules(codec, ["unique(city, age)"])
    part = pd.DataFrame({"city": ["Rome", "Rome", "Bonn"], "age": [20, 20, 20]})
    assert rules.holds(part).tolist() == [True, False, True]
    rules.kept(part.iloc[[0]])
    assert rules.holds(part).tolist() == [False, False, True]
    rules.begin()
    assert rules.holds(part).tolist() == [True, False, True]


def test_few_hold_combinations_are_protected():
    real = trips()
    real.loc[:3, ["city", "nation"]] = ["Rome", "fr"]  # of four rows
    for protect, allowed in ((True, False), (False, True)):
        codec = TableCodec(Options(protect=protect)).fit(real)
        rules = Rules(codec, ["fixed(city, nation)"])
        rules.learn(real)
        assert rules.holds(real.head(4)).all() == allowed


@pytest.mark.parametrize(
    ("said", "error", "word"),
    [
        ("age >", UsageError, "condition such as"),
        ("size > 3", UsageError, "'size'"),
        ("age", UsageError, "neither"),
        ("__import__('os').system('true')", UsageError, "columns of the table|compare"),
        ("age.real > 3", UsageError, "age.real"),
        ("age ** 2 > 3", UsageError, "\\*\\*"),
        ("fixed()", UsageError, "fixed"),
        ("one_hot(bus, city)", DataError, "city"),
        ("age > 70", DataError, "most of the training rows"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_in_a_line(said, error, word):
    real = trips(100)
    with pytest.raises(error, match=word) as caught:
        Rules(TableCodec().fit(real), [said]).learn(real)
    assert "\n" not in str(caught.value)


def test_broken_rules_are_told_of():
    real = trips(100)
    (note,) = Rules(TableCodec().fit(real), ["age >= 19"]).learn(real)
    assert "broken by" in note


def test_names_of_several_words_and_gaps():
    frame = pd.DataFrame({"a b": [1.0, 2.0, np.nan], "c": [2, 2, 2]})
    assert Expression("`a b` < c", frame.columns).holds(frame).tolist() == [True, False, True]
    assert Expression("not `a b` + 1 < c or c in [3]", frame.columns).holds(frame).tolist() == [True, True, True]
