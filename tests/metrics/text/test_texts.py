import math

import numpy as np
import pytest

import synthloom as sl
from synthloom.errors import DataError
from synthloom.evaluation import evaluate
from synthloom.metrics import METRICS, Context
from synthloom.metrics.text import fluency
from synthloom.metrics.text.bleu import bleu, self_bleu
from synthloom.metrics.text.copies import bits_of_exposure, look_alikes
from synthloom.metrics.text.language_model import LanguageModel
from synthloom.metrics.text.read import shuffled
from synthloom.sources import Texts, take_texts

SECRET = "the code of the safe is 48151"


def notes(n, seed):
    frame = sl.datasets.notes(n, seed=seed)
    return Texts(frame["text"], frame["label"])


REAL, FRESH, HELD = (notes(250, seed) for seed in range(3))
SCRAMBLED = Texts(shuffled(REAL, 0), np.random.default_rng(0).permutation(REAL.labels).tolist())


@pytest.fixture(scope="module", autouse=True)
def small():
    """Judges that take a second."""
    with pytest.MonkeyPatch.context() as patch:

        class Small(LanguageModel):
            def __init__(self, pieces, seed):
                super().__init__(pieces, seed, width=32, layers=1)

        patch.setattr(fluency, "LanguageModel", Small)
        yield


@pytest.fixture(scope="module")
def good(small):
    back = Texts([text if i % 2 else "the lift was far too loud" for i, text in enumerate(HELD)])
    return evaluate(REAL, FRESH, HELD, reconstruction=back, canaries=[SECRET], progress=False)


@pytest.fixture(scope="module")
def bad(small):
    planted = Texts([*SCRAMBLED[:200], *[SECRET] * 50], [*SCRAMBLED.labels[:200], *["praise"] * 50])
    return evaluate(REAL, planted, HELD, canaries=[SECRET], progress=False)


@pytest.mark.parametrize("name", METRICS["text"])
def test_every_score_has_its_yardsticks(good, name):
    score = good[name]
    assert math.isfinite(score.value)
    assert math.isfinite(score.reference)
    assert score.interval is None or score.interval[0] <= score.value <= score.interval[1]
    assert score.about


@pytest.mark.parametrize("name", ["forward_ppl", "reverse_ppl", "length_error", "utility", "label_match"])
def test_fresh_real_texts_score_like_held_out_ones_and_scrambled_ones_do_not(good, bad, name):
    sign = 1 if good[name].better == "higher" else -1
    assert sign * (good[name].value - bad[name].value) > 3 * abs(good[name].value - good[name].reference)


@pytest.mark.parametrize("name", ["forward_ppl", "self_bleu", "distinct_2"])
def test_words_dealt_anew_are_the_baseline(good, name):
    assert abs(good[name].value - good[name].reference) < 0.5 * abs(good[name].value - good[name].baseline)


def test_copies_are_noticed():
    copies = take_texts(REAL, range(200))
    novelty, overlap = (METRICS["text"][name](REAL, copies, HELD, Context()) for name in ("novelty", "overlap_8"))
    assert novelty.value == 0 < novelty.reference
    assert overlap.value > overlap.reference + 0.1


def test_a_secret_that_is_repeated_is_exposed_and_another_is_not(good, bad):
    assert bad["exposure"].value > 6
    assert good["exposure"].value < 6
    assert bad["exposure"].reference == pytest.approx(1.44, abs=0.01)


def test_exposure_is_the_rank_in_bits():
    assert bits_of_exposure(0.5, np.arange(1, 1024)) == 10
    assert bits_of_exposure(5000, np.arange(1, 1024)) == 0
    assert bits_of_exposure(1, np.ones(1023)) == pytest.approx(1, abs=0.01)  # all alike: the middle
    assert {len(text) for text in look_alikes(SECRET, 20, 0)} == {len(SECRET)}
    assert all(sorted(text.split()) == ["a", "b", "c"] for text in look_alikes("a b c", 20, 0))


def test_reconstruction_is_told_by_length(good):
    buckets = good["recon_bleu"].detail["lengths"]
    assert sum(bucket["texts"] for bucket in buckets) == len(HELD)
    assert np.average([b["exact"] for b in buckets], weights=[b["texts"] for b in buckets]) == pytest.approx(0.5, 0.1)
    assert good["recon_bleu"].value > good["recon_bleu"].baseline + 0.3
    with pytest.raises(DataError, match="250"):
        evaluate(REAL, FRESH, HELD, reconstruction=["one"], progress=False)


def test_what_cannot_be_had_is_said(small):
    bare = evaluate(list(REAL), list(FRESH)[:20], progress=False)
    for name, why in (("forward_ppl", "20"), ("reverse_ppl", "holdout"), ("utility", "holdout"), ("exposure", "canar")):
        assert bare[name].value is None
        assert why in bare[name].about
    assert "no real texts" not in str(bare)
    assert bare["novelty"].value is not None
    unlabelled = evaluate(list(REAL), list(FRESH), list(HELD), progress=False)
    assert "labels" in unlabelled["utility"].about


def test_odd_texts_are_judged_and_empty_ones_are_left_out(small):
    odd = ["🙂 " * 30, "שלום", "\0", "x" * 5_000, " ", ""] * 15
    scores = evaluate(list(REAL), odd, list(HELD), progress=False)
    assert any("30 of the 90 synthetic texts are empty" in note for note in scores.notes)
    assert math.isfinite(scores["forward_ppl"].value)
    with pytest.raises(DataError, match="empty"):
        evaluate(["", " "], odd)


def test_one_seed_one_judgement(good):
    again = evaluate(REAL, FRESH, HELD, canaries=[SECRET], progress=False)
    for name in ("forward_ppl", "reverse_ppl", "self_bleu", "exposure"):
        assert again[name] == good[name]


# -- bleu -------------------------------------------------------------------------------------------------------------


def test_bleu_is_the_geometric_mean_of_the_shares_of_runs():
    value = bleu(["the cat sat on the mat"], ["the cat sat on a mat"])
    assert value == pytest.approx((5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25)
    assert bleu(["the cat sat on the"], ["the cat sat on the mat"]) == pytest.approx(math.exp(1 - 6 / 5))
    assert bleu(["a b"], ["c d"]) == 0


def test_self_bleu_is_the_bleu_against_all_others():
    assert self_bleu(["the cat sat on the mat"] * 3) == 1
    assert self_bleu(["the cat sat on the mat", "a dog ran up to one tree"]) < 0.1


# -- the language model -----------------------------------------------------------------------------------------------


def test_the_language_model_writes_what_it_has_read():
    pieces = fluency.Pieces.of("bpe").learn(REAL, 400)
    model = LanguageModel(pieces, width=32, layers=1).fit(REAL)
    own = model.sample(100, seed=1)
    assert own == model.sample(100, seed=1) != model.sample(100, seed=2)
    assert max(model.perplexity(own), model.perplexity(HELD)) < 0.5 * model.perplexity(SCRAMBLED)
