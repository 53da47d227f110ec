import json

import numpy as np
import pandas as pd
import pytest

from synthloom.errors import DataError, UsageError
from synthloom.evaluation import evaluate
from synthloom.metrics import METRICS


def shop(n, seed):
    rng = np.random.default_rng(seed)
    price = rng.exponential(20, n).round(2)
    bought = rng.random(n) < 1 / (1 + price / 20)
    return pd.DataFrame({"order": [f"o{seed}-{i}" for i in range(n)], "price": price, "bought": bought})


@pytest.fixture(scope="module")
def trio():
    return shop(400, 0), shop(400, 1), shop(400, 2)


@pytest.fixture
def quick(monkeypatch):
    """Only the metrics that grow no trees."""
    names = ["shape_error", "trend_error", "dcr_share"]
    monkeypatch.setattr("synthloom.evaluation.METRICS", {"table": {name: METRICS["table"][name] for name in names}})


@pytest.fixture(scope="module")
def scores(trio):
    return evaluate(*trio)


def test_every_metric_of_the_kind_is_there_in_order(scores):
    assert [score.name for score in scores] == list(METRICS["table"])
    assert all(score.value is not None and score.reference is not None for score in scores)


def test_the_json_has_the_agreed_shape(scores, tmp_path):
    path = tmp_path / "scores.json"
    scores.to_json(path)
    document = json.loads(path.read_text("utf-8"))
    assert document == json.loads(json.dumps(scores.to_dict()))
    assert document["kind"] == "table"
    for score in document["scores"]:
        assert {"name", "value", "reference", "better", "interval", "about"} <= set(score)
        assert score["interval"] is None or len(score["interval"]) == 2


def test_the_frame_has_a_row_per_score(scores):
    frame = scores.to_frame()
    assert list(frame.index) == list(METRICS["table"])
    assert frame.loc["detection", "value"] == scores["detection"].value


def test_the_text_is_an_aligned_table_with_a_direction_and_reasons(scores, trio):
    lines = str(scores).splitlines()
    head, body = lines[0], lines[1 : 1 + len(METRICS["table"])]
    assert all(
        line.startswith("↓" if score.better == "lower" else "↑") for line, score in zip(body, scores, strict=True)
    )
    end = head.index("value") + len("value")
    assert all(line[:end].endswith(f"{score.value:.3f}") for line, score in zip(body, scores, strict=True))


def test_the_text_says_what_is_not_available_and_why(trio, quick):
    without = str(evaluate(*trio[:2]))
    assert "dcr_share: not available: it needs a holdout" in without
    assert "no holdout was given" in without


def test_what_is_not_judged_is_said(scores, trio, quick):
    assert any("'order'" in note for note in scores.notes)
    again = evaluate(*trio[:2], columns={"ignore": ["order"]})
    assert not any("'order'" in note for note in again.notes)


def test_without_a_holdout_there_are_no_references(trio, quick):
    scores = evaluate(*trio[:2])
    assert all(score.reference is None for score in scores)
    assert scores["dcr_share"].value is None
    assert scores["shape_error"].value is not None


def test_one_seed_gives_one_answer_and_touches_nothing(trio, quick):
    before = [frame.copy() for frame in trio]
    state = np.random.get_state()[1].tolist()
    first, second, other = (evaluate(*trio, seed=seed).to_dict() for seed in (1, 1, 2))
    assert first == second
    assert first != other
    assert np.random.get_state()[1].tolist() == state
    for frame, old in zip(trio, before, strict=True):
        pd.testing.assert_frame_equal(frame, old)


def test_index_and_column_order_do_not_matter(trio, quick):
    moved = [frame.set_index(frame.index + 7)[["bought", "order", "price"]] for frame in trio[1:]]
    assert evaluate(trio[0], *moved).to_dict() == evaluate(*trio).to_dict()


def test_the_target_is_predicted_and_must_exist(trio, monkeypatch):
    monkeypatch.setattr("synthloom.evaluation.METRICS", {"table": {"utility": METRICS["table"]["utility"]}})
    assert "R2 for 'price'" in evaluate(*trio, target="price")["utility"].about
    with pytest.raises(DataError, match=r"did you mean 'price'\?"):
        evaluate(*trio, target="prize")
    with pytest.raises(DataError, match="'order'"):
        evaluate(*trio, target="order")


def test_progress_goes_to_standard_error_and_changes_nothing(trio, quick, capsys):
    assert evaluate(*trio, progress=True).to_dict() == evaluate(*trio, progress=False).to_dict()
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "judging" in shown.err


def test_the_json_has_the_details_and_the_frame_has_not(trio, quick):
    scores = evaluate(*trio)
    assert scores.to_dict()["scores"][0]["detail"]["columns"][0]["column"] == "price"
    assert "detail" not in scores.to_frame()


def test_misuse_is_named(trio, scores):
    with pytest.raises(UsageError, match="kind"):
        evaluate(*trio, kind="tables")
    with pytest.raises(UsageError, match="synthetic table must be a DataFrame"):
        evaluate(trio[0], [1, 2])
    with pytest.raises(UsageError, match="detection"):
        scores["detektion"]
