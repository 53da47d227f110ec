"""What the loop promises: the same bytes again, the best weights, and an end that can be used, whatever happens."""

import math
import time
from contextlib import nullcontext

import pytest
import torch

from synthloom import devices
from synthloom.errors import TrainingError, UsageError
from synthloom.training import Constant, FreeBits, Interrupted, Linear, RateTarget, train


class Spy:
    """A tracker that remembers, and does something at each call if told to."""

    def __init__(self, do=lambda step, scalars: None):
        self.seen, self.do, self.closed, self.info = [], do, False, None

    def start(self, info):
        self.info = info

    def log(self, step, scalars):
        self.seen.append((step, dict(scalars)))
        self.do(step, scalars)

    def close(self):
        self.closed = True


def timeless(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def finite(vae):
    return all(tensor.isfinite().all() for tensor in vae.state_dict().values())


# -- randomness -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [Constant(), RateTarget(2.0)])
def test_the_same_seed_gives_the_same_bytes(toy, schedule):
    nets, histories = [toy.network() for _ in range(3)], []
    for net, seed in zip(nets, (0, 0, 1), strict=True):
        histories.append(train(net, toy.points(), toy.points(80, seed=1), toy.settings(seed=seed), schedule))
    assert toy.same(nets[0], nets[1])
    assert timeless(histories[0].rows) == timeless(histories[1].rows)
    assert not toy.same(nets[0], nets[2])


def test_the_callers_stream_is_left_alone(toy):
    torch.manual_seed(3)
    expected = torch.randn(4)
    torch.manual_seed(3)
    train(toy.network(), toy.points(), toy.points(80, seed=1), toy.settings(), Constant())
    assert torch.equal(torch.randn(4), expected)


def test_validation_does_not_disturb_training(toy):
    with_items, without = toy.network(), toy.network()
    spy = Spy()
    seen = train(with_items, toy.points(), toy.points(80, seed=1), toy.settings(), Constant(), trackers=[spy])
    unseen = train(without, toy.points(), None, toy.settings(), Constant())
    assert [row["loss"] for row in seen.rows] == [row["loss"] for row in unseen.rows]


# -- what comes of it -----------------------------------------------------------------------------------------------


def test_it_learns(toy):
    history = train(toy.network(), toy.points(), toy.points(80), toy.settings(epochs=30), Constant())
    first, last = history.rows[0], history.rows[-1]
    assert last["loss"] < 0.6 * first["loss"]
    assert last["loss"] == pytest.approx(-last["reconstruction"] + last["kl_gaussian"], rel=1e-5)
    assert (last["epoch"], last["step"], last["weight_kl_gaussian"]) == (30, 240, 1.0)
    assert history.stopped == "epochs"
    assert history.notes == []


def test_the_network_is_left_with_its_best_weights(toy):
    net, kept = toy.network(), {}

    def keep(step, scalars):
        if "validation_loss" in scalars:
            kept[step] = {name: tensor.clone() for name, tensor in net.state_dict().items()}

    settings = toy.settings(epochs=15, learning_rate=0.1)
    history = train(net, toy.points(60), toy.points(60, seed=1), settings, Constant(), trackers=[Spy(keep)])
    best = min(history.rows, key=lambda row: row["validation_loss"])
    assert history.best_epoch == best["epoch"] < 15
    assert all(torch.equal(tensor, kept[best["step"]][name]) for name, tensor in net.state_dict().items())
    assert not net.training


def test_without_validation_the_last_weights_stay(toy):
    net, last = toy.network(), {}
    spy = Spy(lambda step, scalars: last.update({k: t.clone() for k, t in net.state_dict().items()}))
    history = train(net, toy.points(), None, toy.settings(epochs=5, batch_size=200), Constant(), trackers=[spy])
    assert spy.seen[-1][0] == 10
    assert all(torch.equal(tensor, last[name]) for name, tensor in net.state_dict().items())
    assert history.best_epoch is None
    assert "validation_loss" not in history.rows[0]


def test_epochs_before_the_full_weight_are_not_compared(toy):
    data, held = toy.points(30), toy.points(60, seed=1)
    history = train(toy.network(), data, held, toy.settings(epochs=10, learning_rate=0.1), Linear(0.0, 0.7))
    assert min(history.rows, key=lambda row: row["validation_loss"])["epoch"] < 7 <= history.best_epoch


def test_validation_is_judged_at_full_weight(toy):
    """The weights never move, so the loss on validation must not either, whatever the schedule does."""
    settings = toy.settings(learning_rate=1e-30)
    history = train(toy.network(), toy.points(), toy.points(80, seed=1), settings, Linear(0.0, 1.0))
    losses = {row["validation_loss"] for row in history.rows}
    assert len({row["weight_kl_gaussian"] for row in history.rows}) == 4
    assert len(losses) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 51, 101])
def test_any_number_of_items_trains_in_steps_of_equal_size(toy, n):
    net, sizes = toy.network(), []
    toy.break_elbo(net, lambda call, parts: sizes.append(len(parts["reconstruction"])) or parts)
    history = train(net, toy.points(n), toy.points(1), toy.settings(), Constant())
    steps = math.ceil(n / 50)
    assert len(sizes) == 4 * steps == history.rows[-1]["step"]
    assert all(sum(sizes[i : i + steps]) == n for i in range(0, len(sizes), steps))
    assert max(sizes) - min(sizes) <= 1


def test_every_item_is_seen_once_an_epoch(toy):
    data = toy.Points(torch.arange(120.0)[:, None].expand(-1, 6).contiguous() / 120)
    net, seen = toy.network(), []
    elbo = net.elbo
    net.elbo = lambda batch: (seen.append(batch.x_ND[:, 0]) if net.training else None, elbo(batch))[1]
    train(net, data, None, toy.settings(epochs=2), Constant())
    first, second = torch.cat(seen[:3]), torch.cat(seen[3:])
    assert torch.equal(first.sort().values, data.x_ND[:, 0])
    assert torch.equal(second.sort().values, data.x_ND[:, 0])
    assert not torch.equal(first, second)


def test_free_bits_beyond_the_kl_are_no_kl_at_all(toy):
    free, none = toy.network(), toy.network()
    train(free, toy.points(), None, toy.settings(), FreeBits(1e6))
    train(none, toy.points(), None, toy.settings(), Constant(0.0))
    assert toy.same(free, none)


def test_a_dead_latent_is_reported(toy):
    history = train(toy.network(), toy.points(), None, toy.settings(epochs=20), Constant(1000.0))
    assert any("latent is dead" in note for note in history.notes)


def test_the_learning_rate_falls_along_a_cosine(toy):
    rows = train(toy.network(), toy.points(), None, toy.settings(decay="cosine"), Constant()).rows
    expected = [1e-2 * 0.5 * (1 + math.cos(math.pi * share)) for share in (0.25, 0.5, 0.75, 1.0)]
    assert [row["learning_rate"] for row in rows] == pytest.approx(expected, abs=1e-12)


def test_a_long_gradient_is_clipped(toy):
    moved = []
    for clip in (None, 1e-9):
        net = toy.network()
        before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        # Adam forgives any factor, but not gradients below its epsilon
        train(net, toy.points(50), None, toy.settings(epochs=1, clip=clip), Constant())
        moved.append(max((t - before[name]).abs().max().item() for name, t in net.state_dict().items()))
    assert moved[1] < 0.2 * moved[0]


# -- stopping -------------------------------------------------------------------------------------------------------


def test_patience(toy):
    settings = toy.settings(epochs=200, learning_rate=0.1, patience=3)
    history = train(toy.network(), toy.points(60), toy.points(60, seed=1), settings, Constant())
    assert history.stopped == "patience"
    assert len(history.rows) == history.best_epoch + 3 < 200


def test_max_time_stops_within_a_step_and_leaves_a_usable_network(toy, clock):
    net = toy.break_elbo(toy.network(), clock.step)
    settings = toy.settings(epochs=1000, max_time=20.5)
    history = train(net, toy.points(), toy.points(80, seed=1), settings, Constant())
    assert history.stopped == "max_time"
    assert [row["step"] for row in history.rows] == [8, 16, 21]
    assert finite(net)
    assert not net.training
    assert "validation_loss" in history.rows[-1]  # an epoch cut short is judged like any other ..
    assert history.best_epoch == min(history.rows, key=lambda row: row["validation_loss"])["epoch"]


def test_time_to_validate_is_kept_back(toy, clock):
    net = toy.break_elbo(toy.network(), clock.step)
    judge = net.eval
    net.eval = lambda: (setattr(clock, "now", clock.now + 3), judge())[1]
    settings = toy.settings(epochs=1000, max_time=50)
    history = train(net, toy.points(), toy.points(80, seed=1), settings, Constant())
    assert 46 <= history.rows[-1]["seconds"] <= 51


def test_max_time_may_end_before_the_first_epoch_does(toy, clock):
    net, begun = toy.break_elbo(toy.network(), clock.step), toy.network()
    settings = toy.settings(batch_size=1, max_time=10)
    history = train(net, toy.points(), toy.points(80, seed=1), settings, Constant())
    assert (history.stopped, history.best_epoch, history.rows[0]["step"]) == ("max_time", None, 10)
    assert not toy.same(net, begun)


def test_max_time_is_real_time(toy):
    began = time.monotonic()
    history = train(toy.network(), toy.points(), None, toy.settings(epochs=10**9, max_time=0.5), Constant())
    assert time.monotonic() - began > 0.5
    assert history.stopped == "max_time"


def test_the_course_of_training_is_measured_in_time_where_that_is_further(toy, clock):
    net = toy.break_elbo(toy.network(), clock.step)
    settings = toy.settings(epochs=10**6, max_time=80, decay="cosine")
    rows = train(net, toy.points(), None, settings, Linear(0.0, 0.5)).rows
    assert rows[1]["weight_kl_gaussian"] == pytest.approx(15 / 40, abs=1e-3)
    assert [row["weight_kl_gaussian"] for row in rows[5:]] == [1.0] * 5
    assert rows[-1]["learning_rate"] < 1e-5


@pytest.mark.parametrize("validated", [True, False])
def test_an_interrupt_leaves_usable_weights_and_says_so(toy, validated):
    def interrupt(step, scalars):
        if step >= 30:
            raise KeyboardInterrupt

    net, spy = toy.network(), Spy(interrupt)
    with pytest.raises(Interrupted) as signal:
        train(net, toy.points(), toy.points(80) if validated else None, toy.settings(), Constant(), trackers=[spy])
    assert isinstance(signal.value, KeyboardInterrupt)
    assert signal.value.history.stopped == "interrupted"
    assert len(signal.value.history.rows) == 3
    assert finite(net)
    assert not net.training
    assert spy.closed


# -- when things go wrong -------------------------------------------------------------------------------------------


def nan_loss(parts):
    return parts | {"reconstruction": parts["reconstruction"] * math.nan}


def nan_gradient(parts):
    """A loss that is finite, whose gradient is not."""
    zero = parts["reconstruction"].clamp(min=1e9) - 1e9
    return parts | {"reconstruction": parts["reconstruction"] + (parts["reconstruction"] * 0).sqrt() + zero * 0}


@pytest.mark.parametrize("fault", [nan_loss, nan_gradient])
def test_a_step_that_is_not_finite_rolls_back_and_halves_the_learning_rate(toy, fault):
    nets = [toy.break_elbo(toy.network(), lambda call, parts: fault(parts) if call == 60 else parts) for _ in range(2)]
    settings = toy.settings(epochs=10)
    history, again = [train(net, toy.points(), toy.points(80), settings, Constant()) for net in nets]
    assert finite(nets[0])
    assert toy.same(*nets)
    assert [row["epoch"] for row in history.rows] == list(range(1, 11))
    assert (history.rows[5]["learning_rate"], history.rows[-1]["learning_rate"]) == (1e-2, 5e-3)
    assert history.notes == again.notes
    assert "step 60" in history.notes[0]
    assert "step 50" in history.notes[0]


def test_the_third_time_training_gives_up_with_the_last_good_weights(toy):
    net, at_50 = toy.network(), {}

    def fault(call, parts):
        if call == 50:
            at_50.update({name: tensor.clone() for name, tensor in net.state_dict().items()})
        return nan_loss(parts) if call > 55 else parts

    toy.break_elbo(net, fault)
    with pytest.raises(TrainingError, match=r"learning_rate of 0\.001"):
        train(net, toy.points(), None, toy.settings(epochs=10), Constant())
    assert all(torch.equal(tensor, at_50[name]) for name, tensor in net.state_dict().items())


def test_data_that_is_not_finite_is_refused_in_the_end(toy):
    x_ND = toy.points().x_ND.clone()
    x_ND[7, 2] = math.inf
    net = toy.network()
    with pytest.raises(TrainingError, match="finite"):
        train(net, toy.Points(x_ND), None, toy.settings(), Constant())
    assert finite(net)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("not enough memory"), torch.OutOfMemoryError("CUDA out of memory")]
)
def test_when_memory_runs_out_a_step_is_done_in_pieces(toy, monkeypatch, error):
    monkeypatch.setattr(devices, "autocast", lambda device: nullcontext())  # which rounds pieces differently

    def mean_elbo(net):
        def elbo(batch):
            if len(batch) > limit:
                raise error
            q = net.infer(batch)
            return {"reconstruction": net.generate(q.mean).log_prob(batch), "kl_gaussian": q.kl()["gaussian"]}

        net.elbo = elbo
        return net

    nets, histories = [], []
    for limit in (50, 20):  # noqa: B007 read by elbo
        nets.append(mean_elbo(toy.network(dropout=0.0)))
        histories.append(train(nets[-1], toy.points(), toy.points(80), toy.settings(), Constant()))
    assert histories[0].notes == []
    assert len(histories[1].notes) == 1
    assert "memory" in histories[1].notes[0]
    assert [row["step"] for row in histories[1].rows] == [8, 16, 24, 32]
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_an_item_that_never_fits_is_refused(toy):
    net = toy.network()

    def elbo(batch):
        raise MemoryError

    net.elbo = elbo
    with pytest.raises(TrainingError, match="single item"):
        train(net, toy.points(), None, toy.settings(), Constant())


def test_other_errors_are_not_mistaken_for_memory(toy):
    net = toy.network()

    def elbo(batch):
        raise RuntimeError("shapes do not match")

    net.elbo = elbo
    with pytest.raises(RuntimeError, match="shapes"):
        train(net, toy.points(), None, toy.settings(), Constant())


# -- wrong usage ----------------------------------------------------------------------------------------------------


def test_training_needs_items(toy):
    with pytest.raises(UsageError, match="at least one item"):
        train(toy.network(), toy.points(0), None, toy.settings(), Constant())


def test_resuming_needs_a_checkpoint(toy):
    with pytest.raises(UsageError, match="checkpoint"):
        train(toy.network(), toy.points(), None, toy.settings(), Constant(), resume=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("learning_rate", math.nan),
        ("weight_decay", -1.0),
        ("clip", 0.0),
        ("max_time", 0.0),
        ("patience", 0),
        ("decay", "linear"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(toy, name, value):
    with pytest.raises(UsageError, match=name):
        toy.settings(**{name: value})


def test_the_callers_schedule_is_not_changed(toy):
    schedule = RateTarget(2.0)
    before = schedule.state()
    train(toy.network(), toy.points(), None, toy.settings(), schedule)
    assert schedule.state() == before
