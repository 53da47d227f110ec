import numpy as np
import pytest

from synthloom.metrics.table.read import read_tables
from synthloom.metrics.table.utility import find_targets, utility, utility_real


@pytest.fixture(scope="module")
def few(people):
    """Fewer rows, because trees take time."""
    return people(300, 0), people(300, 1), people(300, 2)


@pytest.mark.parametrize("target", ["school", "score"])
def test_utility_of_fresh_rows_is_that_of_real_rows_and_shuffled_rows_have_none(judge, target, few, shuffled):
    real, fresh, holdout = few
    good, bad = (judge(utility, real, s, holdout, target=target) for s in (fresh, shuffled(real)))
    assert good.value == pytest.approx(good.reference, abs=0.1)
    assert good.interval[0] < good.value < good.interval[1]
    assert bad.value < good.value - 0.2
    assert bad.value < (0.2 if target == "score" else 0.7)


def test_the_reference_of_utility_is_utility_real(judge, people):
    trio = [people(100, seed) for seed in range(3)]
    yardstick = judge(utility_real, *trio)
    assert yardstick.value == yardstick.reference == judge(utility, *trio).reference
    assert judge(utility_real, trio[0], trio[2], trio[2]).value == yardstick.value  # whatever the synthetic rows


def test_utility_of_one_class_only_is_a_guess(judge, few):
    real, fresh, holdout = few
    assert judge(utility, real, fresh.assign(owner="yes"), holdout, target="owner").value == 0.5


def test_the_target_is_the_last_column_of_few_classes_that_can_be_learnt_or_else_the_last_such_number(people):
    def found(keep=None, **changes):
        frames = {where: people(400, seed).assign(**changes) for where, seed in [("real", 0), ("synthetic", 1)]}
        (real, holdout), _ = read_tables({where: frame[keep or list(frame)] for where, frame in frames.items()})
        return [name for name, _ in find_targets(real, holdout, 0)]

    assert found()[0] == "owner"
    assert len(found()) == len(set(found())) == 3
    assert not {"height", "sex", "region"} & set(found())  # they depend on nothing
    rng = np.random.default_rng(0)
    assert found(coin=rng.choice(["a", "b"], 400))[0] == "owner"  # the last, but nobody could learn it
    assert found(keep=["age", "height", "income", "score"])[0] == "score"
    assert found(keep=["height", "sex"]) == ["sex"]  # nothing can be learnt here, and the score will say so
    assert found(keep=["sex"], one="a") == ["sex"]


def test_a_column_that_gives_another_away_is_no_target(people):
    frames = {where: people(400, seed) for where, seed in [("real", 0), ("synthetic", 1)]}
    frames = {where: frame.assign(possession=frame["owner"] + "!") for where, frame in frames.items()}
    (real, holdout), _ = read_tables(frames)
    assert not {"possession", "owner"} & {name for name, _ in find_targets(real, holdout, 0)}


def test_utility_says_what_it_predicts_and_why(judge, people):
    trio = [people(100, seed) for seed in range(3)]
    score = judge(utility, *trio)
    assert "AUC for 'owner' (the last column of 2 to 10 classes)" in score.about
    targets = score.detail["targets"]
    assert [targets[0][side] for side in ("value", "reference", "baseline")] == [
        score.value,
        score.reference,
        score.baseline,
    ]
    assert "R2 for 'age' (as asked)" in judge(utility, *trio, target="age").about


@pytest.mark.parametrize(
    ("kept", "target"),
    [(["sex"], "sex"), (["height", "zip"], "zip"), (["height", "one"], "one"), (["height", "void"], "void")],
)
def test_utility_is_not_available_where_nothing_can_be_learnt(judge, kept, target, people):
    trio = [
        people(100, seed).assign(zip=[f"z{i % 60}" for i in range(100)], one="z", void=np.nan)[kept]
        for seed in range(3)
    ]
    score = judge(utility, *trio, target=target)
    assert score.value is None
    assert score.about.startswith("not available")


def test_a_holdout_is_needed_for_utility_and_enough_rows_for_trees(judge, people):
    real, fresh, holdout = (people(40, seed) for seed in range(3))
    assert "holdout" in judge(utility, real, fresh).about
    for metric in (utility, utility_real):
        score = judge(metric, real, fresh, holdout)
        assert score.value is None
        assert "below 50 rows" in score.about
