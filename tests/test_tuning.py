"""A search tries the defaults first, keeps what it has tried, goes on where it was, and refuses to mix two searches."""

import pytest

import synthloom as sl
from synthloom import tuning
from synthloom.errors import UsageError
from synthloom.models import MODELS, Among
from synthloom.tuning import tune

optuna = pytest.importorskip("optuna")

ROWS = sl.datasets.visits(120, seed=0)
HELD = {"epochs": 1, "codec": "quantile", "cells": 8}


@pytest.fixture
def tried(monkeypatch):
    """Trials whose value is how far the learning rate is from 1e-3, without fitting anything."""
    asked = []

    def judge(search, knobs, seed, learnt, held):
        asked.append((knobs, seed))
        return abs(knobs["learning_rate"] - 1e-3), "lower"

    monkeypatch.setattr(tuning._Search, "judge", judge)
    return asked


@pytest.mark.parametrize(("kind", "name"), list(MODELS))
def test_every_model_has_knobs_to_search_and_its_defaults_are_among_them(kind, name):
    search = tuning._Search(kind, MODELS[kind, name], {}, "bound", None, 1, 0)
    assert len(search.space) >= 3
    standard = MODELS[kind, name]()
    for knob, value in search.read(search.defaults()).items():
        assert value == getattr(standard, knob), knob
    for knob, found in search.space.items():
        ends = found.values if isinstance(found, Among) else (found.low, found.high)
        for end in ends:
            MODELS[kind, name].with_knobs({knob: end})


def test_the_defaults_come_first_and_the_best_is_kept(tried, tmp_path):
    tuned = tune(ROWS, tmp_path / "m.loom", model="tvae", trials=9, seeds=1, progress=False, **HELD)
    assert tried[0][0]["learning_rate"] == 1e-3
    assert tuned.knobs["learning_rate"] == 1e-3
    assert tuned.trials["bound"].min() == 0
    assert len(tuned.trials) == 9
    assert sl.load(tmp_path / "m.loom").info_["knobs"]["learning_rate"] == 1e-3
    assert max(tuned.importance, key=tuned.importance.get) == "learning_rate"
    assert "what mattered: learning_rate" in str(tuned)


def test_a_search_goes_on_where_it_was(tried, tmp_path):
    one = tune(ROWS, tmp_path / "m.loom", model="tvae", trials=3, seeds=1, progress=False, **HELD)
    assert len(tried) == 3
    two = tune(ROWS, tmp_path / "m.loom", model="tvae", trials=5, seeds=1, progress=False, **HELD)
    assert len(tried) == 5
    assert two.trials.head(3)["learning_rate"].tolist() == one.trials["learning_rate"].tolist()
    assert two.trials["learning_rate"].nunique() == 5


def test_a_trial_that_was_killed_is_tried_again(tried, tmp_path, monkeypatch):
    judge = tuning._Search.judge

    def die(search, knobs, *rest):
        if len(tried) == 2:
            raise SystemExit  # as a kill would: nothing is told to the study
        return judge(search, knobs, *rest)

    monkeypatch.setattr(tuning._Search, "judge", die)
    with pytest.raises(SystemExit):
        tune(ROWS, tmp_path / "m.loom", model="tvae", trials=4, seeds=1, progress=False, **HELD)
    killed = optuna.load_study(
        study_name="synthloom",
        storage=optuna.storages.JournalStorage(
            optuna.storages.journal.JournalFileBackend(str(tmp_path / "m.loom.study"))
        ),
    ).trials[-1]
    assert killed.state.name == "RUNNING"
    monkeypatch.setattr(tuning._Search, "judge", judge)
    tuned = tune(ROWS, tmp_path / "m.loom", model="tvae", trials=4, seeds=1, progress=False, **HELD)
    assert len(tuned.trials) == 4
    assert killed.params["learning_rate"] in tuned.trials["learning_rate"].tolist()


def test_a_hopeless_setting_gets_no_second_seed(tried):
    tuned = tune(ROWS, model="tvae", trials=16, seeds=2, progress=False, **HELD)
    ended = tuned.trials["ended"].value_counts()
    assert ended["pruned"] >= 1
    assert len(tried) == 2 * ended["complete"] + ended["pruned"]


def test_another_search_is_not_mixed_in(tried, tmp_path):
    tune(ROWS, tmp_path / "m.loom", model="tvae", trials=1, seeds=1, progress=False, **HELD)
    with pytest.raises(UsageError, match="score was bound and is shape_error"):
        tune(ROWS, tmp_path / "m.loom", model="tvae", trials=2, seeds=1, score="shape_error", progress=False, **HELD)


def test_time_that_is_over_begins_no_trial(tried):
    tuned = tune(ROWS, model="tvae", trials=50, max_time=1e-6, seeds=1, progress=False, **HELD)
    assert len(tuned.trials) == 1


@pytest.mark.parametrize(("score", "better"), [("bound", "higher"), ("shape_error", "lower")])
def test_real_fits_are_judged_the_right_way_round(score, better):
    search = tuning._Search("table", MODELS["table", "tvae"], {"epochs": 1} | HELD, score, None, 1, 0)
    learnt, held = search.split(ROWS)
    assert (len(learnt), len(held)) == (96, 24)
    value, found = search.judge({"learning_rate": 1e-3}, 0, learnt, held)
    assert found == better
    assert (value < 0) == (score == "bound")


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ({"score": "beauty"}, "score must be one of bound, shape_error"),
        ({"epsilon": 2.0}, "again and again"),
        ({"learning_rat": 1}, "did you mean"),
        ({"max_time": "soon"}, "max_time"),
    ],
)
def test_what_cannot_be_searched_is_refused_before_the_first_fit(said, match, tried):
    with pytest.raises(UsageError, match=match):
        tune(ROWS, model="tvae", trials=1, progress=False, **said)
    assert tried == []
