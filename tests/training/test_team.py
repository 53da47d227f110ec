"""Several workers, one training: the steps of one worker, one that writes, and another number of them goes on."""

import multiprocessing
import os
from contextlib import nullcontext

import pytest
import torch
from torch import distributed

from synthloom import archive, devices
from synthloom.errors import UsageError
from synthloom.training import FreeBits, Linear, RateTarget, Team, team, train

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked, so that torch is imported once")


def together(size, folder, work):
    """`work(rank)` on so many workers of one process group; what each left, and how it ended."""

    def member(rank):
        torch.set_num_threads(1)
        place = f"file://{folder}/group"
        distributed.init_process_group("gloo", init_method=place, rank=rank, world_size=size)
        work(rank)
        os._exit(0)  # another who is still busy needs no farewell

    workers = [multiprocessing.get_context("fork").Process(target=member, args=(rank,)) for rank in range(size)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(300)
        worker.kill()
        worker.join()
    (folder / "group").unlink(missing_ok=True)
    return [worker.exitcode for worker in workers]


def still(vae):
    """The network without chance, so that whoever does an item finds the same of it."""
    infer = vae.infer

    def elbo(batch):
        q = infer(batch)
        parts = {"reconstruction": vae.generate(q.mean).log_prob(batch)}
        return parts | {f"kl_{name}": nats_B for name, nats_B in q.kl().items()}

    vae.elbo = elbo
    return vae


@pytest.mark.parametrize("schedule", [Linear(), RateTarget(2.0), FreeBits(3.0)], ids=["linear", "rate", "free"])
def test_two_workers_take_the_steps_of_one(toy, tmp_path, schedule, monkeypatch):
    monkeypatch.setattr(devices, "autocast", lambda device: nullcontext())  # the sums of halves are rounded otherwise

    def work(rank):
        net = still(toy.network(dropout=0.0))
        train(net, toy.points(150), toy.points(40, seed=1), toy.settings(clip=1.0), schedule)
        archive.write(tmp_path / f"{rank}", {}, {"network": net.state_dict()})

    assert together(2, tmp_path, work) == [0, 0]
    alone = still(toy.network(dropout=0.0))
    train(alone, toy.points(150), toy.points(40, seed=1), toy.settings(clip=1.0), schedule)
    first, second = (archive.read(tmp_path / name).tensors["network"] for name in "01")
    for name, weight in alone.state_dict().items():
        assert torch.equal(first[name], second[name]), name
        assert torch.allclose(first[name], weight, atol=1e-3), name


def test_workers_have_noise_of_their_own_and_the_clock_of_the_first(toy, tmp_path):
    def work(rank):
        net = toy.network()
        history = train(net, toy.points(150), None, toy.settings(epochs=10_000, max_time=0.3), Linear())
        archive.write(tmp_path / f"{rank}", {"rows": history.rows}, {"network": net.state_dict()})

    assert together(2, tmp_path, work) == [0, 0]
    first, second = (archive.read(tmp_path / name) for name in "01")
    assert first.documents["rows"] == second.documents["rows"]
    assert all(torch.equal(t, second.tensors["network"][n]) for n, t in first.tensors["network"].items())


def test_what_two_began_one_goes_on_with(toy, tmp_path):
    path = tmp_path / "run.checkpoint"

    def work(rank):
        net = toy.break_elbo(toy.network(), lambda calls, parts: os._exit(9) if rank and calls == 9 else parts)
        train(net, toy.points(), None, toy.settings(epochs=6), RateTarget(2.0), checkpoint=path, checkpoint_seconds=0)

    assert together(2, tmp_path, work)[1] == 9  # and the first cannot go on alone
    begun = archive.read(path).documents["course"]
    assert 0 < begun["step"] <= 9
    history = train(
        toy.network(), toy.points(), None, toy.settings(epochs=6), RateTarget(2.0), checkpoint=path, resume=True
    )
    assert history.rows[-1]["step"] == 6 * 8
    assert any("workers 1" in note and "after" in note and "workers 2" in note for note in history.notes)
    assert not list(tmp_path.glob("*.part"))


def test_who_is_alone_is_a_team(toy):
    assert team() == Team(0, 1)
    assert team().first
    assert team().agreed(1.5, 2.0) == (1.5, 2.0)


def test_more_workers_than_items_in_a_step_are_refused(toy, tmp_path):
    def work(rank):
        with pytest.raises(UsageError, match="an item for every worker"):
            train(toy.network(), toy.points(20), None, toy.settings(batch_size=1), Linear())

    assert together(2, tmp_path, work) == [0, 0]
