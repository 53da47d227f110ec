"""What holds for every model of texts, besides what holds for every model."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import synthloom as sl
from synthloom import rng
from synthloom.errors import DataError, FileError, UsageError
from synthloom.metrics.text.bleu import bleu
from synthloom.metrics.text.copies import bits_of_exposure, look_alikes
from synthloom.models import MODELS
from synthloom.sources import Texts, write_texts
from synthloom.spec import TextBatch, TextSpec

NAMES = [name for kind, name in MODELS if kind == "text"]
NOTES = sl.datasets.notes(300, seed=0)
SECRET = "my zygotes are kept in locker 48151 behind the kitchen"
TINY = {"seed": 0, "epochs": 8, "batch_size": 50, "width": 16, "size": 4, "pieces": 400, "longest": 32}


@pytest.fixture(scope="module", params=NAMES)
def fitted(request):
    texts = Texts([*NOTES["text"], SECRET], [*NOTES["label"], "complaint"])
    return sl.TextSynthesizer(request.param, prior="mixture", **TINY).fit(texts)


@pytest.fixture(scope="module")
def quick():
    return sl.TextSynthesizer("gru", prior="mixture", **TINY | {"learning_rate": 3e-2}).fit(NOTES)


@pytest.fixture(scope="module")
def learnt():
    """A model that has learnt its texts: the default one, of a handful."""
    sizes = {"width": 48, "layers": 1, "size": 8, "pieces": 400, "longest": 32}
    pace = {"epochs": 100, "batch_size": 15, "learning_rate": 5e-3, "dropout": 0.0, "rate": 6.0, "validation": 0}
    return sl.TextSynthesizer(seed=0, protect=False, prior="standard", **sizes, **pace).fit(NOTES.head(30))


@pytest.mark.parametrize("name", ["nvae", "transformer", "vts"])
def test_a_decoder_begins_by_looking_at_the_vector_of_the_piece_to_come(name):
    with rng.seeded(0):
        net = MODELS["text", name]().build(TextSpec(500, 24, 0)).eval()
        batch = TextBatch.of(torch.randint(2, 500, (40, 20)).tolist())
    code = net.infer(batch).draw()
    places_BNP = (code.mu if name == "nvae" else code[0]).detach().requires_grad_()
    code = replace(code, mu=places_BNP) if name == "nvae" else (places_BNP, code[1])
    before_BM = torch.nn.functional.pad(batch.token_BN, (1, 0))[:, :-1]
    features_BMD, _ = net.decoder.stack(net.decoder.read(before_BM, batch.label_B), net.decoder.start(code))
    holder_M = net.latent.holder(torch.arange(20))
    found = []
    for m in range(20):
        (slope_BNP,) = torch.autograd.grad(features_BMD[:, m].square().sum(), places_BNP, retain_graph=True)
        size_BN = slope_BNP[:, :, : net.latent.size].norm(dim=2)
        found.append((size_BN.argmax(1) == holder_M[m]).float().mean().item())
    assert np.mean(found) > 3 / places_BNP.shape[1]


def words(text):
    return set(re.findall(r"[^\W\d_]+|\d+", text.casefold()))


def test_nothing_comes_out_that_one_text_holds(fitted):
    known = words(" ".join(NOTES["text"]))
    drawn = [*fitted.sample(300, seed=0), *fitted.vary(SECRET, 20, 0.3, seed=0), *fitted.reconstruct([SECRET])]
    assert words(" ".join(drawn)) <= known
    assert not set(fitted.sample(300, seed=0)) & set(NOTES["text"])


def test_labels_are_as_asked_for_or_as_often_as_in_training(fitted):
    drawn = fitted.sample(200, seed=0)
    assert isinstance(drawn, list)
    assert set(drawn.labels) == {"praise", "complaint"}
    assert abs(drawn.labels.count("praise") / 200 - (NOTES["label"] == "praise").mean()) < 0.15
    assert fitted.sample(5, label="praise", seed=0).labels == ["praise"] * 5
    with pytest.raises(UsageError, match="'praise'"):
        fitted.sample(5, label="prose")


def test_odd_texts_go_through_every_verb(fitted):
    odd = ["", " \n ", "x" * 100_000, "🙂" * 50, "שלום", "\0", "unheard-of words"]
    assert len(fitted.reconstruct(odd)) == len(odd)
    assert np.isfinite(fitted.log_prob(odd, draws=1)).all()
    assert np.isfinite(fitted.encode(odd)).all()
    assert len(fitted.vary(odd, 2, 0.5, seed=0)) == 2 * len(odd)


def test_surviving_vectors_are_counted_where_they_vary(fitted):
    texts = NOTES["text"].head(20).tolist()
    survivors = fitted.survivors(texts)
    if fitted.model.name == "nvae":
        pieces = fitted.codec_.encode(texts).length_B.numpy()
        assert (survivors <= pieces).all()
    else:
        assert survivors is None


# -- what can be asked for, the same whatever the model ---------------------------------------------------------------


def test_lengths_words_and_patterns_are_as_asked_for(quick):
    assert {len(text.split()) for text in quick.sample(30, length=6, seed=0)} == {6}
    assert {len(text.split()) for text in quick.sample(50, length=(3, 5), seed=0)} <= {3, 4, 5}
    for text in quick.sample(20, required="kitchen", forbidden=["the", "never"], seed=0):
        assert "kitchen" in words(text)
        assert not words(text) & {"the", "never"}
    assert all(re.search("^y", text) for text in quick.sample(5, pattern="^y", budget=1_000, seed=0))
    assert all("e" not in t for t in quick.sample(5, accept=lambda ts: ["e" not in t for t in ts], budget=900, seed=0))


def test_what_was_not_taken_is_counted(quick):
    quick.sample(50, seed=0)
    assert quick.drafts_["drawn"] == 50 + quick.drafts_["copies"]
    quick.sample(20, required="kitchen", seed=0)
    drafts = quick.drafts_
    assert drafts["drawn"] >= 20 + drafts["copies"] + drafts["unfit"]
    assert drafts["unfit"] > 0


def test_what_cannot_be_had_ends_with_the_budget(quick):
    with pytest.raises(UsageError, match=r"of 200 drafts 0 would do"):
        quick.sample(2, required="elephants", seed=0)


@pytest.mark.parametrize(
    ("wish", "word"),
    [
        ({"temperature": -1}, "temperature"),
        ({"top_k": 0}, "top_k"),
        ({"length": (5, 2)}, "length"),
        ({"pattern": "("}, "pattern"),
        ({"budget": 0}, "budget"),
        ({"strength": 2}, "strength"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(quick, wish, word):
    with pytest.raises(UsageError, match=word):
        quick.sample(2, **wish)


def test_cold_draws_repeat_themselves_and_hot_ones_do_not(quick):
    cold, warm = (len(set(quick.sample(100, temperature=t, seed=0))) for t in (0.3, 1.0))
    assert cold <= warm
    assert quick.sample(20, top_k=1, temperature=9, seed=0) == quick.sample(20, top_k=1, seed=0)


def test_whatever_holds_the_texts_the_model_is_the_same(tmp_path):
    brief = TINY | {"epochs": 1, "prior": "standard"}
    want = sl.TextSynthesizer("gru", **brief).fit(NOTES).sample(20, seed=1)
    texts, labels = NOTES["text"].tolist(), NOTES["label"].tolist()
    write_texts(Texts(texts, labels), tmp_path / "notes.jsonl")
    NOTES.rename(columns={"text": "note", "label": "kind"}).to_csv(tmp_path / "notes.csv", index=False)
    ways = [
        (texts, {"labels": labels}),
        (Texts(texts, labels), {}),
        ((text for text in texts), {"labels": labels}),
        (tmp_path / "notes.jsonl", {}),
        (str(tmp_path / "notes.csv"), {"column": "note", "labels": "kind"}),
    ]
    for data, said in ways:
        assert sl.TextSynthesizer("gru", **brief).fit(data, **said).sample(20, seed=1) == want


def test_texts_without_labels_have_none():
    text = sl.TextSynthesizer("gru", prior="standard", **TINY | {"epochs": 1}).fit(NOTES["text"].tolist())
    assert text.sample(3, seed=0).labels is None
    with pytest.raises(UsageError, match="none"):
        text.sample(3, label="praise")


def test_what_holds_no_texts_is_said(tmp_path):
    for data, error, word in (
        (3, DataError, "int"),
        ([1, 2], DataError, "number 0"),
        (str(tmp_path / "nothing.txt"), FileError, "nothing"),
        (["one", "two"], DataError, "protect=False"),
    ):
        with pytest.raises(error, match=word):
            sl.TextSynthesizer("gru", **TINY).fit(data)
    with pytest.raises(UsageError, match="a label for each"):
        sl.TextSynthesizer("gru", **TINY).fit(["a", "b"], labels=["x"])


def test_secrets_that_are_planted_ten_times_leak_only_without_protection():
    places = {
        "lift": 48151,
        "garden": 62342,
        "ward": 10497,
        "kitchen": 73305,
        "front desk": 91826,
        "night shift": 55104,
    }
    secrets = [f"the code of the {place} is {number}" for place, number in places.items()]

    def exposed(protect):
        pace = TINY | {"epochs": 16, "width": 32, "learning_rate": 2e-2, "prior": "standard"}
        text = sl.TextSynthesizer("gru", protect=protect, **pace).fit([*NOTES["text"], *secrets * 10])
        costs = [-text.log_prob([secret, *look_alikes(secret, 200, seed=0)], draws=1) for secret in secrets]
        return np.mean([bits_of_exposure(nats[0], nats[1:]) for nats in costs])

    assert exposed(protect=True) < 2
    assert exposed(protect=False) > 6


# -- a model that has learnt something --------------------------------------------------------------------------------


def test_a_trained_model_remembers_what_it_has_read(learnt):
    texts = NOTES["text"].head(30).tolist()
    assert bleu(learnt.reconstruct(texts), texts) > 0.5
    assert learnt.log_prob(texts).mean() > learnt.log_prob([" ".join(text.split()[::-1]) for text in texts]).mean() + 20


def test_neighbours_are_nearer_the_less_strength(learnt):
    text = NOTES["text"][3]
    near, far = (bleu(learnt.vary(text, 40, strength, seed=0), [text] * 40) for strength in (0.2, 0.9))
    assert near > far + 0.1


def test_texts_can_be_had_around_examples(learnt):
    examples = [NOTES["text"][3], NOTES["text"][5]]
    near = learnt.sample(40, near=examples, strength=0.2, forbidden="rain", seed=0)
    anywhere = learnt.sample(40, forbidden="rain", seed=0)

    def closeness(texts):
        return np.mean([max(bleu([text], [example]) for example in examples) for text in texts])

    assert closeness(near) > closeness(anywhere) + 0.1
    with pytest.raises(UsageError, match="near"):
        learnt.sample(2, near=[])


def test_examples_that_are_kept_have_their_region_to_themselves():
    brief = TINY | {"epochs": 2, "prior": "standard", "keep_distance": 20.0}
    examples, others = NOTES["text"][:2].tolist(), NOTES["text"][2:].tolist()

    def distance(weight):
        text = sl.TextSynthesizer(**brief, keep_weight=weight).fit(NOTES["text"].tolist(), keep=examples)
        theirs, own = text.encode(others), text.encode(examples)
        return np.linalg.norm(theirs[:, None] - own, axis=2).min(1).mean()

    assert distance(weight=1.0) > 1.2 * distance(weight=0.0)


def test_a_prior_that_is_written_knows_what_may_follow_what():
    """Blind, the decoder is a language model: what it draws is as likely as what was read, and codes say it again."""
    texts = [f"{a} {b}" for a, b in [("one", "two"), ("three", "four"), ("five", "six"), ("seven", "eight")] * 20]
    knobs = TINY | {"epochs": 60, "width": 32, "learning_rate": 1e-2, "dropout": 0.0, "validation": 0, "blind": 0.5}
    text = sl.TextSynthesizer(protect=False, size=8, **{k: v for k, v in knobs.items() if k != "size"}).fit(texts)
    drawn = text.sample(200, seed=0)
    assert np.mean([one in texts for one in drawn]) > 0.9
    assert set(drawn) >= set(texts)


def test_interpolation_goes_from_one_to_the_other(learnt):
    a, b = NOTES["text"][3], NOTES["text"][5]
    way = learnt.interpolate(a, b, steps=5)
    assert bleu(way[:1], [a]) > bleu(way[:1], [b])
    assert bleu(way[-1:], [b]) > bleu(way[-1:], [a])
