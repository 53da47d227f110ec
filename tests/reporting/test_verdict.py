import pandas as pd
import pytest

import synthloom as sl
from synthloom import datasets
from synthloom.evaluation import Scores
from synthloom.metrics import METRICS, Score
from synthloom.reporting import gather
from synthloom.reporting.verdict import alarms, verdict


def scores(**changes):
    """Scores as a fresh draw has them, but for the changes."""
    fresh = {
        "shape_error": Score("shape_error", 1.0, 1.0, "lower", None, "", 0.0),
        "trend_error": Score("trend_error", 2.0, 2.0, "lower", None, "", 8.0),
        "detection": Score("detection", 0.98, 1.0, "higher", (0.9, 1.0), "", 0.1, {"auc": 0.51}),
        "utility": Score(
            "utility", 0.9, 0.91, "higher", (0.88, 0.92), "", 0.5, {"targets": [{"target": "y", "measure": "AUC"}]}
        ),
        "copy_rate": Score("copy_rate", 0.0, 0.0, "lower", (0.0, 0.001), ""),
        "dcr_share": Score("dcr_share", 0.5, 0.5, "lower", (0.48, 0.52), ""),
        "membership_auc": Score("membership_auc", 0.5, 0.5, "lower", (0.48, 0.52), ""),
        "membership_outliers": Score("membership_outliers", 0.5, 0.5, "lower", (0.45, 0.55), ""),
        "attribute_inference": Score(
            "attribute_inference", 0.5, 0.5, "lower", (0.49, 0.51), "", 0.4, {"gap_interval": [-0.01, 0.01]}
        ),
    }
    return Scores("table", tuple((fresh | changes).values()))


def level(aspect, **changes):
    return next(s["level"] for s in verdict(scores(**changes))["sentences"] if s["aspect"] == aspect)


def test_a_fresh_draw_is_praised_in_three_sentences():
    found = verdict(scores())
    assert found["level"] == "good"
    assert [s["aspect"] for s in found["sentences"]] == ["likeness", "usefulness", "privacy"]
    assert all(s["text"].endswith(".") and s["text"].count(". ") == 0 for s in found["sentences"])
    assert "no proof" in found["sentences"][2]["text"]


@pytest.mark.parametrize(("auc", "expected"), [(0.45, "good"), (0.7, "fair"), (0.99, "poor")])
def test_likeness_goes_by_the_detector(auc, expected):
    assert level("likeness", detection=Score("detection", 0.5, 1.0, "higher", None, "", 0.1, {"auc": auc})) == expected


@pytest.mark.parametrize(("value", "expected"), [(0.9, "good"), (0.82, "fair"), (0.6, "poor")])
def test_usefulness_goes_by_what_is_kept_of_the_way_from_independent_columns(value, expected):
    detail = {"targets": [{"target": "y", "measure": "AUC"}]}
    assert level("usefulness", utility=Score("utility", value, 0.91, "higher", None, "", 0.5, detail)) == expected


RINGING = {
    "copy_rate": Score("copy_rate", 0.2, 0.01, "lower", (0.18, 0.22), ""),
    "dcr_share": Score("dcr_share", 0.7, 0.5, "lower", (0.65, 0.75), ""),
    "membership_auc": Score("membership_auc", 0.6, 0.5, "lower", (0.58, 0.62), ""),
    "membership_outliers": Score("membership_outliers", 0.7, 0.5, "lower", (0.62, 0.78), ""),
    "attribute_inference": Score(
        "attribute_inference", 0.6, 0.5, "lower", (0.59, 0.61), "", 0.4, {"gap_interval": [0.08, 0.12]}
    ),
}


@pytest.mark.parametrize("name", RINGING)
def test_each_attack_alone_turns_the_report_red(name):
    found = verdict(scores(**{name: RINGING[name]}))
    assert found["level"] == "alarm"
    assert found["sentences"][2]["text"].startswith("Alarm: ")
    ringing = [alarm["name"] for alarm in alarms(scores(**{name: RINGING[name]})) if alarm["level"] == "alarm"]
    assert ringing == [name]


def test_traces_are_noticed_before_an_alarm_rings():
    assert level("privacy", dcr_share=Score("dcr_share", 0.55, 0.5, "lower", (0.53, 0.57), "")) == "fair"


def test_copies_that_held_out_rows_are_as_often_ring_no_alarm():
    assert level("privacy", copy_rate=Score("copy_rate", 0.3, 0.29, "lower", (0.29, 0.31), "")) == "good"


def test_what_could_not_be_tested_is_said_and_never_called_good():
    missing = {name: Score.unavailable(name, "lower", "it needs a holdout") for name in RINGING if name != "copy_rate"}
    found = verdict(scores(**missing))["sentences"][2]
    assert found["level"] == "unknown"
    assert "No alarm rang in 1 of 5" in found["text"]
    assert "it needs a holdout" in found["text"]
    few = {name: Score.unavailable(name, "lower", "below 200 rows") for name in RINGING}
    assert verdict(scores(**few))["sentences"][2]["level"] == "unknown"
    assert level("usefulness", utility=Score.unavailable("utility", "higher", "it needs a holdout")) == "unknown"


@pytest.fixture(scope="module")
def trio():
    return [datasets.visits(n, seed=seed) for n, seed in ((200, 0), (200, 1), (400, 2))]


def test_a_model_trained_until_it_knows_two_hundred_rows_by_heart_turns_the_report_red(trio, quick):
    real, fresh, holdout = trio
    learnt = {"epochs": 80, "batch_size": 100, "learning_rate": 1e-2, "order": "given", "rate": 0.0}
    table = sl.TableSynthesizer("nvae", seed=0, width=64, layers=1, validation=0, protect=False, **learnt)
    remembered = table.fit(real, progress=False).sample(400, seed=1)
    found = gather(real, remembered, holdout, progress=False)
    assert found["verdict"]["level"] == "alarm"
    assert sum(alarm["level"] == "alarm" for alarm in found["alarms"]) >= 2
    assert gather(real, fresh, holdout, progress=False)["verdict"]["sentences"][2]["level"] == "good"


def test_every_score_that_the_verdict_reads_is_one_of_the_metrics():
    assert {score.name for score in scores()} <= set(METRICS["table"])
    assert pd.Series(list(RINGING)).isin(METRICS["table"]).all()
