"""Tables that are not held are judged as those that are."""

import json

import numpy as np
import pandas as pd
import pytest

from synthloom.evaluation import evaluate
from synthloom.metrics import METRICS
from synthloom.metrics.table.counts import Cells
from synthloom.reporting import report
from synthloom.sources import write_table

COUNTED = ("shape_error", "missing_error", "trend_error", "wnmi_error")
NEAREST = ("copy_rate", "dcr_share")


def coarse(people, n, seed):
    """Few values to a column, and gaps: a sample of a third has them all."""
    frame = people(n, seed).drop(columns=["height", "debt"]).round({"age": -1, "income": -1, "hours": -1, "score": 0})
    frame = frame.assign(income=frame["income"].clip(upper=30), age=frame["age"].clip(upper=90))
    gap = np.random.default_rng(seed).random(frame.shape) < 0.1
    return frame.mask(gap)


@pytest.fixture(scope="module")
def folder(people, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for seed, (name, rows) in enumerate([("real", 1500), ("synthetic", 1200), ("holdout", 900)]):
        frame = coarse(people, rows, seed)
        write_table(frame, folder / f"{name}.csv")
        (folder / name).mkdir()
        for part in range(3):
            write_table(frame[part * rows // 3 : (part + 1) * rows // 3], folder / name / f"{part}.parquet")
    return folder


@pytest.fixture
def only(monkeypatch):
    def judge(*names):
        monkeypatch.setattr("synthloom.evaluation.METRICS", {"table": {name: METRICS["table"][name] for name in names}})

    return judge


@pytest.fixture
def held(monkeypatch):
    """held(n): so many rows of a table are held, and parts are of 190."""

    def hold(rows):
        monkeypatch.setattr("synthloom.metrics.table.read.HELD", rows)
        monkeypatch.setattr("synthloom.metrics.table.read._PART", 190)

    return hold


def trio(folder, ending=".csv"):
    return [folder / f"{name}{ending}" for name in ("real", "synthetic", "holdout")]


def test_files_are_judged_as_the_frames_that_are_in_them(folder, only):
    only(*COUNTED, *NEAREST, "alpha_precision")
    frames = [pd.read_csv(path) for path in trio(folder)]
    assert evaluate(*trio(folder)).to_dict() == evaluate(*frames).to_dict()


@pytest.mark.parametrize("ending", [".csv", ""], ids=["files", "folders"])
def test_what_is_counted_over_parts_is_what_is_counted_at_once(folder, only, held, ending):
    only(*COUNTED)
    whole = evaluate(*trio(folder))
    held(500)
    parts = evaluate(*trio(folder, ending))
    assert [note[:5] for note in parts.notes] == ["500 o"] * 3
    for score in parts:
        assert score.value == pytest.approx(whole[score.name].value, rel=1e-9)
        assert score.reference == pytest.approx(whole[score.name].reference, rel=1e-9)


def test_the_nearest_over_parts_is_the_nearest_of_all(folder, only, held):
    only(*NEAREST)
    few = [pd.read_csv(path).head(400) for path in trio(folder)[1:]]
    few[0] = pd.concat([few[0], pd.read_csv(folder / "real.csv").tail(200)])  # copies, most of them not held
    whole = evaluate(pd.read_csv(folder / "real.csv"), *few)
    held(500)
    parts = evaluate(folder / "real.csv", *few)
    assert parts["copy_rate"].value == whole["copy_rate"].value > 1 / 3
    assert parts["dcr_share"].value == pytest.approx(whole["dcr_share"].value)
    assert parts["dcr_share"].interval == pytest.approx(whole["dcr_share"].interval, abs=0.01)  # of ties, which


def test_numbers_that_the_sample_lacks_are_counted_in_the_gaps(people, only, held, tmp_path):
    only("shape_error")
    frames = [people(3000, seed)[["height", "score"]] for seed in range(2)]
    paths = [tmp_path / f"{seed}.parquet" for seed in range(2)]
    for frame, path in zip(frames, paths, strict=True):
        write_table(frame, path)
    whole = evaluate(*frames)["shape_error"].value
    held(1000)
    value = evaluate(*paths)["shape_error"].value
    assert whole - 100 * np.log(1000 / 1e-3) / 1000 < value <= whole


def test_a_category_that_the_sample_lacks_is_none_of_those_that_it_has(only, held, tmp_path):
    only("shape_error", "trend_error", "copy_rate")
    frame = pd.DataFrame({"k": ["a", "b"] * 500, "j": ["x", "y"] * 500})
    write_table(
        frame.assign(k=[f"rare{i}" if i % 10 == 0 else k for i, k in enumerate(frame["k"])]), tmp_path / "r.csv"
    )
    held(300)
    scores = evaluate(frame, tmp_path / "r.csv", columns={"categorical": ["k", "j"]})
    assert scores["shape_error"].value == pytest.approx(5, abs=0.1)  # a tenth of one column
    assert scores["trend_error"].value == pytest.approx(10, abs=0.1)


def test_rows_that_hold_a_category_in_gaps_and_values_have_one_cell_each():
    cells = Cells(np.array([3, 1]), np.array([3]))
    value = np.array([0, 1, 2, 3, 4])
    assert cells.of(value).tolist() == value.tolist()
    assert cells.count(value[[1, 1, 4]]).tolist() == [0, 2, 0, 0, 1]


def test_a_report_of_a_large_table_tells_all_rows(folder, only, held, tmp_path):
    held(500)
    facts = report(*trio(folder)[:2], tmp_path / "report.json")
    assert facts["rows"] == {"real": 1500, "synthetic": 1200}
    assert any("500 of the 1,500 real rows" in note for note in facts["notes"])
    assert json.loads((tmp_path / "report.json").read_text())["rows"]["real"] == 1500
