"""Parts made on Ray: the bytes of the local engine, also when a worker is killed."""

import os
import signal
import threading
import time

import pytest

from synthloom.cli import main
from synthloom.errors import ModelFileError
from synthloom.scale.engines import on_ray

ray = pytest.importorskip("ray")

ROWS = 35_000


def contents(folder):
    """Every file of a folder, to the byte."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_ray_writes_the_bytes_of_the_local_engine(small, tmp_path):
    call = ["sample", str(small.path), "--rows", str(ROWS), "--seed", "7", "--parts", ".csv"]
    assert main([*call, "--out", str(tmp_path / "local"), "--workers", "1"]) == 0
    assert main([*call, "--out", str(tmp_path / "ray"), "--engine", "ray", "--workers", "2"]) == 0
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


def test_a_worker_that_is_killed_on_ray_costs_nothing(tmp_path):
    def work(number):
        (tmp_path / f"{number}.{os.getpid()}").touch()
        time.sleep(0.3)
        return number

    def kill_one():
        while not (begun := list(tmp_path.iterdir())):
            time.sleep(0.01)
        os.kill(int(begun[0].suffix[1:]), signal.SIGKILL)

    threading.Thread(target=kill_one, daemon=True).start()
    assert sorted(on_ray(work, range(6), 2)) == list(range(6))
    assert len({path.stem for path in tmp_path.iterdir()}) < len(list(tmp_path.iterdir()))  # one was done again


def test_a_mistake_on_ray_is_one_line_of_ours():
    def work(number):
        raise ModelFileError("every worker must see the same model")

    with pytest.raises(ModelFileError, match=r"^every worker must see the same model$"):
        list(on_ray(work, [0], 1))
