"""The report on texts: the same page, with what only texts have."""

import pytest

import synthloom as sl
from synthloom.evaluation import Scores
from synthloom.metrics import METRICS, Score
from synthloom.reporting import report, texts
from synthloom.reporting.html import render
from synthloom.reporting.texts import _alarms as alarms
from synthloom.sources import Texts

SLOW = ("forward_ppl", "reverse_ppl", "exposure")
HELD = Texts(["we never saw the <b>moon</b>"] * 60, ["complaint"] * 60)


@pytest.fixture
def quick(monkeypatch):
    """Only the metrics that train no language model; in place of the others, a number."""

    def stand_in(name):
        return lambda *_: Score(name, 40.0, 38.0, "lower", (39.0, 41.0), "this is a test", 90.0)

    metrics = {name: stand_in(name) if name in SLOW else metric for name, metric in METRICS["text"].items()}
    monkeypatch.setattr("synthloom.evaluation.METRICS", {"text": metrics})


@pytest.fixture
def trio():
    real, synthetic = (sl.datasets.notes(80, seed=seed) for seed in range(2))
    made = Texts([f"{text} <i>&</i>" for text in synthetic["text"]], synthetic["label"])
    return Texts(real["text"], real["label"]), made, HELD


def test_the_page_shows_synthetic_texts_and_no_real_one(quick, trio, tmp_path):
    real, synthetic, holdout = trio
    facts = report(real, synthetic, tmp_path / "report.html", holdout, reconstruction=list(holdout), progress=False)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert [sample["text"] for sample in facts["samples"]] == synthetic[:20]
    assert "&lt;i&gt;&amp;&lt;/i&gt;" in page
    assert "<i>" not in page
    assert "moon" not in page
    for text in set(real) - {text.removesuffix(" <i>&</i>") for text in synthetic}:
        assert f">{text}<" not in page
    assert page.count("<section") == page.count("</section>")
    for place in ("#texts", "#lengths", "#scores", "#privacy"):
        assert f'href="{place}"' in page
        assert f'id="{place[1:]}"' in page
    assert "rows" not in page.split("<main>")[1].split("#about")[0].replace("overflow", "")


def test_the_same_facts_in_markdown_and_json(quick, trio, tmp_path):
    report(*trio[:2], tmp_path / "report.md", trio[2], progress=False)
    page = (tmp_path / "report.md").read_text("utf-8")
    assert "80 synthetic texts, judged beside 80 real texts" in page
    assert "\\<i\\>" in page
    report(*trio[:2], tmp_path / "report.json", progress=False)


def test_the_page_needs_no_labels_and_no_holdout(quick, trio):
    page = render(texts.gather(list(trio[0]), list(trio[1]), progress=False))
    assert "it needs a holdout" in page
    assert "no real texts were held out" in page


def scores(**values):
    """Scores of texts as good as held-out ones, but for those that are named: (value, reference)."""
    fine = dict.fromkeys(METRICS["text"], (1.0, 1.0)) | {"overlap_8": (0.1, 0.1), "exposure": (1.0, 1.4)} | values
    return Scores(
        "text",
        tuple(
            Score(name, v, r, "lower", None if v is None else (v, v), "not available: why")
            for name, (v, r) in fine.items()
        ),
    )


def level(found, aspect):
    facts = texts.gather(["a"] * 60, ["b"] * 60, scores=found)
    return {sentence["aspect"]: sentence["level"] for sentence in facts["verdict"]["sentences"]}[aspect]


def test_the_verdict_follows_the_scores():
    assert level(scores(), "likeness") == level(scores(), "usefulness") == level(scores(), "privacy") == "good"
    assert level(scores(reverse_ppl=(1.3, 1.0)), "likeness") == "fair"
    assert level(scores(forward_ppl=(1.6, 1.0)), "likeness") == "poor"
    assert level(scores(reverse_ppl=(None, None)), "likeness") == "unknown"
    assert level(scores(utility=(0.93, 1.0)), "usefulness") == "fair"
    assert level(scores(utility=(0.5, 1.0)), "usefulness") == "poor"
    assert level(scores(utility=(None, None)), "usefulness") == "unknown"


def test_alarms_ring_for_copies_and_secrets():
    def rung(**values):
        return {alarm["name"]: alarm["level"] for alarm in alarms(scores(**values))}

    assert set(rung().values()) == {"good"}
    assert rung(novelty=(0.7, 0.98))["novelty"] == "alarm"
    assert rung(overlap_8=(0.5, 0.1))["overlap_8"] == "alarm"
    assert rung(exposure=(7.0, 1.4))["exposure"] == "alarm"
    assert rung(exposure=(3.0, 1.4))["exposure"] == "fair"
    assert rung(exposure=(None, None))["exposure"] == "unknown"
    assert level(scores(exposure=(9.0, 1.4)), "privacy") == "alarm"
