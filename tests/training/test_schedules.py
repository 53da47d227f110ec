"""Shapes of the schedules, and a rate target that is reached."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthloom.errors import UsageError
from synthloom.training import Constant, Cyclical, FreeBits, Linear, RateTarget, train

share = st.floats(0, 1)
parts = {"kl_gaussian": 5.0, "kl_dirichlet": 1.0}
schedules = [
    Constant(0.5),
    Constant({"kl_gaussian": 1.0, "kl_dirichlet": 0.1}),
    Linear(0.3, 0.6, 2.0),
    Linear(0.5, 0.5),
    Cyclical(4, 0.5),
    Cyclical(1, 0.0),
    FreeBits(2.0, Linear()),
    RateTarget(4.0, others=0.3),
    RateTarget(4.0, warmup=0.0, squeeze=0.0),
]


@pytest.mark.parametrize("schedule", schedules, ids=repr)
def test_every_schedule_weighs_every_part_and_its_state_is_json(schedule):
    for progress in (0.0, 0.1, 0.6, 1.0):
        weights = schedule.weights(progress, parts)
        assert weights.keys() == schedule.full(parts).keys() == parts.keys()
        assert all(0 <= weight <= 100 for weight in weights.values())
    assert 0 <= schedule.full_from <= 1
    schedule.load(json.loads(json.dumps(schedule.state())))


@pytest.mark.parametrize("schedule", [s for s in schedules if not isinstance(s, RateTarget)], ids=repr)
@given(progress=share)
def test_the_full_weight_is_never_exceeded_and_reached_at_the_end(schedule, progress):
    full = schedule.full(parts)
    assert all(0 <= weight <= full[part] for part, weight in schedule.weights(progress, parts).items())
    assert schedule.weights(1.0, parts) == full
    assert schedule.weights(schedule.full_from, parts) == full


@pytest.mark.parametrize("schedule", schedules, ids=repr)
@given(more=st.floats(0, 10))
def test_nats_beyond_an_aim_cost_what_they_cost_in_the_bound_and_those_below_it_nothing(schedule, more):
    aim = getattr(schedule, "nats", 0.0) if isinstance(schedule, RateTarget) else 0.0
    weight = schedule.full(parts)["kl_gaussian"]
    at = schedule.charge(parts | {"kl_gaussian": aim})
    assert schedule.charge(parts | {"kl_gaussian": aim + more}) == pytest.approx(at + weight * more)
    assert schedule.charge(parts | {"kl_gaussian": max(0.0, aim - more)}) == pytest.approx(at)


@given(first=share, second=share)
def test_linear_never_falls(first, second):
    schedule = Linear(0.2, 0.7)
    low, high = (schedule.weights(p, parts)["kl_gaussian"] for p in sorted((first, second)))
    assert low <= high


def test_cyclical_begins_each_cycle_at_nothing():
    schedule = Cyclical(4, 0.5)
    assert [schedule.weights(p, parts)["kl_gaussian"] for p in (0.0, 0.25, 0.5, 0.75)] == [0.0] * 4
    assert [schedule.weights(p, parts)["kl_gaussian"] for p in (0.0625, 0.125, 0.2)] == [0.5, 1.0, 1.0]


def test_a_negative_estimate_of_a_kl_still_has_a_gradient(toy):
    """Only free bits hold a KL from below: an estimate drawn from samples may be negative."""
    nets = []
    for sign in (1.0, 0.0):
        net = toy.network()
        elbo = net.elbo

        def shifted(batch, elbo=elbo, sign=sign):
            parts = elbo(batch)
            return parts | {"kl_gaussian": sign * parts["kl_gaussian"] - 100.0}

        net.elbo = shifted
        train(net, toy.points(), None, toy.settings(epochs=1), Constant())
        nets.append(net)
    assert not toy.same(*nets)


def test_each_part_may_have_its_own_weight():
    assert Linear(0.0, 1.0, {"kl_gaussian": 1.0, "kl_dirichlet": 0.1}).weights(0.5, parts) == {
        "kl_gaussian": 0.5,
        "kl_dirichlet": 0.05,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Linear(0.5, 0.4),
        lambda: Linear(0.5, 1.4),
        lambda: Cyclical(0),
        lambda: Cyclical(rising=-0.1),
        lambda: RateTarget(0.0),
        lambda: RateTarget(1.0, warmup=0.7, squeeze=0.7),
        lambda: RateTarget(1.0, part="kl_gausian").weights(0.0, parts),
    ],
)
def test_what_cannot_be_meant_is_refused(wrong):
    with pytest.raises(UsageError, match="however"):
        wrong()


# -- the rate target ------------------------------------------------------------------------------------------------


def test_a_rate_target_starts_as_an_autoencoder_and_squeezes_gradually():
    schedule = RateTarget(2.0)
    weights = [schedule.weights(step / 1000, {"kl_gaussian": 20.0})["kl_gaussian"] for step in range(501)]
    assert set(weights[:250]) == {1e-4}
    assert all(0 <= after / before - 1 < 0.2 for before, after in pairwise(weights))
    assert weights[-1] > 1


def test_a_rate_target_steers_only_its_part():
    schedule = RateTarget(2.0, part="kl_gaussian", others=0.3)
    for step in range(100):
        assert schedule.weights(step / 100, {"kl_gaussian": 20.0, "kl_dirichlet": 50.0})["kl_dirichlet"] == 0.3


@given(progress=st.lists(share, max_size=30), rates=st.lists(st.floats(0, 1e6), min_size=30, max_size=30))
def test_a_rate_target_never_leaves_its_range(progress, rates):
    schedule = RateTarget(3.0)
    for moment, rate in zip(progress, rates, strict=False):  # in no order: training may go on with more epochs
        assert 1e-4 <= schedule.weights(moment, {"kl_gaussian": rate})["kl_gaussian"] <= 100.001


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("nats", [2.5, 6.0])
def test_a_rate_target_is_reached(toy, nats, seed):
    """From both sides: the plain bound has a rate in between, so one target needs more weight than 1, one less."""
    net, settings = toy.network(seed, dropout=0.0), toy.settings(seed=seed, epochs=80, learning_rate=1e-2)
    rows = train(net, toy.points(seed=seed), None, settings, RateTarget(nats)).rows
    assert rows[19]["kl_gaussian"] > 7
    assert sum(row["kl_gaussian"] for row in rows[-10:]) / 10 == pytest.approx(nats, rel=0.1)
