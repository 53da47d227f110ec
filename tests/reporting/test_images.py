"""A report on images: a page that needs nothing else, shows no real image unless asked to, and says what it found."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from synthloom import datasets
from synthloom.errors import UsageError
from synthloom.evaluation import evaluate
from synthloom.metrics.image import features
from synthloom.reporting import report
from synthloom.sources import Images

REAL, HELD, FRESH = (Images(*datasets.shapes(300, seed=seed, size=8)) for seed in range(3))


@pytest.fixture(scope="module", autouse=True)
def quickly():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(features, "_STEPS", 80)
        yield


def brightness(levels):
    return np.asarray(levels, float).reshape(len(levels), 64)[:, ::4] / 64


def picture(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def test_the_page_is_whole_and_holds_no_real_image_unless_asked_to(tmp_path):
    asked = {"kind": "image", "features": brightness, "progress": False}
    scores = evaluate(REAL, FRESH, HELD, **asked)
    facts = report(REAL, FRESH, tmp_path / "r.html", HELD, scores=scores, **asked)
    page = (tmp_path / "r.html").read_text("utf-8")
    assert list(facts["pictures"]) == ["synthetic"]
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("<img ") == 1
    full = report(REAL, FRESH, tmp_path / "f.html", HELD, scores=scores, shareable=False, **asked)
    assert list(full["pictures"]) == ["synthetic", "real", "pairs"]
    assert picture(full["pictures"]["pairs"]).shape == (22, 102)  # ten above ten
    assert [sentence["aspect"] for sentence in full["verdict"]["sentences"]] == ["likeness", "usefulness", "privacy"]
    assert json.loads(json.dumps(full)) == full
    for form in ("md", "json"):
        report(REAL, FRESH, tmp_path / f"r.{form}", HELD, scores=scores, **asked)
    assert "300 synthetic images" in (tmp_path / "r.md").read_text("utf-8")


def test_copies_ring_noise_is_poor_and_no_holdout_is_no_yardstick(tmp_path):
    asked = {"kind": "image", "features": brightness, "progress": False}

    def levels(synthetic, holdout):
        facts = report(REAL, synthetic, tmp_path / "r.json", holdout, **asked)
        return {sentence["aspect"]: sentence["level"] for sentence in facts["verdict"]["sentences"]}

    assert levels(REAL, HELD)["privacy"] == "alarm"
    noise = Images(np.random.default_rng(0).integers(0, 256, FRESH.shape, dtype=np.uint8), FRESH.labels)
    assert levels(noise, HELD) == {"likeness": "poor", "usefulness": "poor", "privacy": "good"}
    assert levels(FRESH, None)["likeness"] == "unknown"
    with pytest.raises(UsageError, match="kind"):
        report(REAL, FRESH, tmp_path / "r.json", kind="smell")
