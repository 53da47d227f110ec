"""One set of laws over every model there is, of whatever kind. A new line in MODELS is tested the day it is written."""

import numpy as np
import pytest
import torch

import synthloom as sl
from synthloom.errors import NotFittedError, UsageError
from synthloom.models import MODELS
from synthloom.sources import SOURCES
from synthloom.synthesizers import SYNTHESIZERS


@pytest.mark.parametrize(("kind", "name"), list(MODELS))
def test_every_model_has_a_kind_a_text_and_a_text_per_knob(kind, name):
    model = MODELS[kind, name]
    assert (model.kind, model.name) == (kind, name)
    assert model.__doc__
    assert kind in SYNTHESIZERS
    for knob, field in model.model_fields.items():
        assert field.description, f"{name}.{knob} has no text"


@pytest.mark.parametrize(("kind", "name"), list(MODELS))
def test_without_epochs_more_items_are_seen_less_often_in_more_steps(kind, name):
    model = MODELS[kind, name].with_knobs({"epochs": None})
    epochs = [model.settings(0, items).epochs for items in (1, 900, 32_000, 100_000, 10**9)]
    assert epochs == sorted(epochs, reverse=True)
    assert epochs[1:3] == [40, 20]
    assert 900 * epochs[1] < 32_000 * epochs[2] < 100_000 * epochs[3]
    assert 1 <= epochs[-1] < epochs[0] < 100


def test_one_seed_one_file_and_one_sample(each, tmp_path):
    """Bytes, not numbers: of the model file and of what it draws."""
    tiny, name = each
    for run in ("a", "b", "c"):
        model = tiny.new(name, seed=1 if run == "c" else 0, epochs=2).fit(tiny.items)
        model.save(tmp_path / f"{run}.loom")
        SOURCES[tiny.kind].write(model.sample(50, seed=3), tmp_path / f"{run}{tiny.ending}")
    assert (tmp_path / "a.loom").read_bytes() == (tmp_path / "b.loom").read_bytes()
    a, b, c = (tmp_path / f"{run}{tiny.ending}" for run in "abc")
    assert a.read_bytes() == b.read_bytes()
    assert (tmp_path / "a.loom").read_bytes() != (tmp_path / "c.loom").read_bytes()
    assert a.read_bytes() != c.read_bytes()


def differ(one, other):
    return one != other if isinstance(one, list) else not np.array_equal(one, other)


def test_without_a_seed_every_draw_is_new_and_every_fit_says_its_seed(each, fitted):
    tiny, name = each
    assert differ(fitted.sample(50), fitted.sample(50))
    one, two = (tiny.new(name, seed=None, epochs=1).fit(tiny.items) for _ in range(2))
    assert one.info_["seed"] != two.info_["seed"]


def test_the_callers_random_streams_are_left_alone(each, fitted):
    tiny, name = each
    torch.manual_seed(5)
    np.random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    few = tiny.take(0, 1, 2)
    fitted.sample(20)
    fitted.vary(few, 3, 0.5)
    fitted.log_prob(few)
    fitted.encode(few)
    fitted.reconstruct(few)
    tiny.new(name, epochs=1).fit(tiny.items)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


def test_a_saved_model_draws_scores_and_remembers_alike(each, fitted, tmp_path):
    tiny, _ = each
    fitted.save(tmp_path / "m.loom")
    again = sl.load(tmp_path / "m.loom")
    assert tiny.same(again.sample(100, seed=2), fitted.sample(100, seed=2))
    assert (again.log_prob(tiny.items) == fitted.log_prob(tiny.items)).all()
    assert again.info_ == fitted.info_
    assert list(again.history_["epoch"]) == list(fitted.history_["epoch"])
    again.save(tmp_path / "n.loom")
    assert (tmp_path / "n.loom").read_bytes() == (tmp_path / "m.loom").read_bytes()


def test_items_come_in_shards_that_can_be_made_alone(each, fitted):
    tiny, _ = each
    size, more = fitted.SHARD, fitted.SHARD // 5
    parts = list(fitted.stream(size + more, seed=1))
    assert [len(part) for part in parts] == [size, more]
    assert tiny.same(fitted.shard(1, more, seed=1), parts[1])
    whole = fitted.sample(size + more, seed=1)
    assert len(whole) == size + more
    assert tiny.same(SOURCES[tiny.kind].take(whole, range(size, size + more)), parts[1])


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_and_one(fitted, n):
    assert len(fitted.sample(n, seed=0)) == n


@pytest.mark.parametrize("n", [-1, 2.0, True, "3"])
def test_a_number_that_is_none_is_refused(each, fitted, n):
    with pytest.raises(UsageError, match=SOURCES[each[0].kind].things):
        fitted.sample(n)


def test_the_ends_of_an_interpolation_are_the_reconstructions(each, fitted):
    tiny, _ = each
    way = fitted.interpolate(tiny.take(0), tiny.take(1), steps=4)
    assert len(way) == 4
    ends = SOURCES[tiny.kind].take(way, [0, 3])
    assert tiny.same(tiny.spoken(ends), tiny.spoken(fitted.reconstruct(tiny.take(0, 1))))
    with pytest.raises(UsageError, match="steps"):
        fitted.interpolate(tiny.take(0), tiny.take(1), steps=1)


def test_no_strength_is_the_reconstruction_and_full_strength_owes_the_item_nothing(each, fitted):
    tiny, _ = each
    still = fitted.vary(tiny.take(0, 1, 2), 2, 0.0, seed=0)
    assert tiny.same(tiny.spoken(still), tiny.spoken(fitted.reconstruct(tiny.take(0, 0, 1, 1, 2, 2))))
    one, other = (fitted.vary(tiny.take(i), 50, 1.0, seed=0) for i in (0, 1))
    assert tiny.same(tiny.spoken(one), tiny.spoken(other))
    with pytest.raises(UsageError, match="strength"):
        fitted.vary(tiny.take(0), 2, 1.5)


def test_every_item_gets_its_latent_its_score_and_its_reconstruction(each, fitted):
    few = each[0].take(0, 1, 2, 3, 4)
    assert len(fitted.reconstruct(few)) == len(fitted.log_prob(few)) == len(fitted.encode(few)) == 5
    none = each[0].take()
    assert fitted.encode(none).shape[1] == fitted.encode(few).shape[1]
    assert len(fitted.reconstruct(none)) == len(fitted.log_prob(none)) == len(fitted.encode(none)) == 0


def test_batch_mates_do_not_matter(each, fitted):
    tiny, _ = each
    together = fitted.encode(tiny.take(*range(8)))
    alone = np.concatenate([fitted.encode(tiny.take(i)) for i in range(8)])
    assert np.allclose(together, alone, atol=1e-5)


def test_scrambled_items_are_less_likely(each, fitted):
    tiny, _ = each
    assert fitted.log_prob(tiny.items).mean() > fitted.log_prob(tiny.scramble(tiny.items)).mean()


def test_before_fit_the_verbs_say_so(each):
    tiny, name = each
    model = tiny.new(name)
    for verb in (
        lambda: model.sample(1),
        lambda: model.encode(tiny.items),
        lambda: model.save("x"),
        lambda: model.history_,
    ):
        with pytest.raises(NotFittedError, match="fit"):
            verb()


def test_misspelt_knobs_are_refused_with_the_likeliest_word(each):
    tiny, name = each
    for knob, word in (({"epoch": 3}, '"epochs"'), ({"batch_size": 0}, "batch_size"), ({"seed": "zero"}, "seed")):
        with pytest.raises(UsageError, match=word):
            tiny.new(name, **knob)
    with pytest.raises(UsageError, match=name):
        tiny.new(name + "s")


def test_too_large_is_refused_with_numbers_before_anything_is_allocated(each):
    tiny, name = each
    with pytest.raises(Exception, match="GiB"):
        tiny.new(name, **tiny.too_large[name]).fit(tiny.items)


def test_a_learned_prior_is_drawn_from_saved_and_can_be_passed_over(each, tmp_path):
    tiny, name = each
    model = tiny.new(name, epochs=2, prior="mixture", max_time=5, **tiny.narrow[name]).fit(tiny.items)
    model.save(tmp_path / "m.loom")
    again = sl.load(tmp_path / "m.loom")
    assert tiny.same(again.sample(50, seed=1), model.sample(50, seed=1))
    plain = model.sample(50, prior="standard", seed=1)
    assert differ(plain, model.sample(50, seed=1))
    assert tiny.same(again.sample(50, prior="standard", seed=1), plain)
    with pytest.raises(UsageError, match="prior"):
        model.sample(5, prior="wishful")
