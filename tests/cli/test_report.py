"""`synthloom report`: a page from two files."""

import json

import pytest

from synthloom import datasets
from synthloom.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("report")
    for seed, name in enumerate(("real", "synthetic", "holdout")):
        datasets.visits(260, seed=seed).to_csv(place / f"{name}.csv", index=False)
    return place


def test_a_report_is_written_and_its_verdict_printed(folder, tmp_path, capsys):
    real, synthetic, holdout = (str(folder / f"{name}.csv") for name in ("real", "synthetic", "holdout"))
    out = tmp_path / "r.html"
    assert main(["report", real, synthetic, "--holdout", holdout, "--target", "readmitted", "--out", str(out)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in said] == ["likeness", "usefulness", "privacy"]
    text = out.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert "260 real rows that were held out" in text
    assert main(["report", real, synthetic, "--out", str(out)]) == 2  # it is there already
    assert "--force" in capsys.readouterr().err


def test_forms_and_options(folder, tmp_path, quick_report, capsys):
    real, synthetic = (str(folder / f"{name}.csv") for name in ("real", "synthetic"))
    for ending in (".json", ".md"):
        assert main(["report", real, synthetic, "--out", str(tmp_path / f"r{ending}"), "--seed", "3"]) == 0
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["seed"] == 3
    assert main(["report", real, synthetic, "--full", "--out", str(tmp_path / "full.json")]) == 0
    assert json.loads((tmp_path / "full.json").read_text("utf-8"))["shareable"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "r.pdf"], "r.pdf"),
        (["--out", "nowhere/r.html"], "nowhere"),
        ([], "--out"),
        (["--out", "r.html", "--target", "wards"], "did you mean 'ward'"),
    ],
)
def test_mistakes_are_one_line(folder, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(folder / "real.csv"), str(folder / "synthetic.csv"), *arguments]) == 2
    line = capsys.readouterr().err
    assert said in line
    assert line.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def quick_report(monkeypatch):
    """Only the metrics that grow no trees; in place of the others, a reason."""
    from synthloom.metrics import METRICS, Score

    def stand_in(name):
        return lambda *_: Score.unavailable(name, "higher", "this is a test")

    slow = ("detection", "utility", "utility_real")
    metrics = {name: stand_in(name) if name in slow else metric for name, metric in METRICS["table"].items()}
    monkeypatch.setattr("synthloom.evaluation.METRICS", {"table": metrics})


def test_texts_are_judged_as_such(tmp_path, capsys):
    files = []
    for seed, name in enumerate(("real", "synthetic", "holdout")):
        path = tmp_path / f"{name}.csv"
        datasets.notes(40, seed=seed).to_csv(path, index=False)  # too few for a language model, and so quick
        files.append(str(path))
    judge = [*files[:2], "--kind", "text", "--holdout", files[2]]
    assert main(["evaluate", *judge, "--reconstruction", files[2], "--json", str(tmp_path / "scores.json")]) == 0
    assert "words of real texts" in capsys.readouterr().out
    scores = {score["name"]: score for score in json.loads((tmp_path / "scores.json").read_text("utf-8"))["scores"]}
    assert scores["recon_bleu"]["value"] == 1
    assert scores["forward_ppl"]["value"] is None
    assert main(["report", *judge, "--out", str(tmp_path / "r.html")]) == 0
    assert "40 synthetic texts" in (tmp_path / "r.html").read_text("utf-8")
    assert main(["evaluate", *judge, "--target", "label"]) == 2
    assert "--target" in capsys.readouterr().err
