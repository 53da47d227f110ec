"""What makes the parts of a sample: processes of this machine, or Ray.

An engine is given a function of a part's number and the numbers to do, and hands out what the function returns, in the
order in which it is done. It has one duty: whoever dies, each number comes back once.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import Any, TypeAlias

from synthloom import devices
from synthloom.errors import SynthloomError, UsageError

__all__ = ["ENGINES", "on_ray", "on_this_machine"]

Engine: TypeAlias = Callable[[Callable[[int], Any], Sequence[int], int | None, str | None], Iterator[Any]]
"""(what to do, numbers to do it with, workers, address) -> results, as they come."""

_DEATHS = 5
"""How many workers may die before one more part is done: by then it is the part that kills them."""
_AHEAD = 2
"""Numbers that a worker has before it, so that it never waits, and few are lost when it dies."""


def on_this_machine(
    work: Callable[[int], Any], todo: Sequence[int], workers: int | None, address: str | None = None
) -> Iterator[Any]:
    """Processes of this machine: one for each core that may be used, unless `workers` says otherwise."""
    if address is not None:
        raise UsageError(f"an address is of a Ray cluster, however: engine is local and address={address!r}")
    workers = min(workers or devices.usable_cores(), len(todo))
    if workers <= 1:
        yield from map(work, todo)
        return
    left, deaths = deque(todo), 0
    while left:
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _end_with_parent)
        pending: dict[Future[Any], int] = {}
        try:
            while left or pending:
                while left and len(pending) < _AHEAD * workers:
                    pending[pool.submit(work, left[0])] = left[0]
                    left.popleft()  # only now: a broken pool takes nothing
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    pending.pop(future)
                    deaths = 0
                    yield result
        except BrokenProcessPool:  # the pool is gone with the worker; what it had before it is done by a new one
            deaths += 1
            left.extendleft(pending.values())
            if deaths == _DEATHS:
                raise SynthloomError(
                    f"workers must live to finish their parts, however: {deaths} died in a row, at work on "
                    f"{sorted(pending.values())}; look for want of memory, and use fewer workers"
                ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def on_ray(
    work: Callable[[int], Any], todo: Sequence[int], workers: int | None, address: str | None = None
) -> Iterator[Any]:
    """Ray: the cluster at `address`, or one that lasts as long as this job, of this machine alone."""
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError(
            'engine="ray" needs Ray, however: it is not installed; pip install "synthloom[ray]"'
        ) from error
    own = not ray.is_initialized()
    if own:
        cores = None if address else workers or devices.usable_cores()
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        ray.init(address or "local", num_cpus=cores, include_dashboard=False if address is None else None, **quiet)
    workers = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    task = ray.remote(lambda number: work(number)).options(name="part", num_cpus=1, max_retries=_DEATHS)
    left, pending = deque(todo), list[Any]()
    try:
        while left or pending:
            while left and len(pending) < _AHEAD * workers:
                pending.append(task.remote(left.popleft()))
            (done,), pending = ray.wait(pending, num_returns=1)
            try:
                yield ray.get(done)
            except ray.exceptions.RayTaskError as error:  # says what happened there in many lines; ours says it in one
                raise (error.cause if isinstance(error.cause, SynthloomError) else error) from None
            except ray.exceptions.WorkerCrashedError as error:
                raise SynthloomError(
                    f"workers must live to finish their parts, however: {_DEATHS} died at work on one of them; look "
                    f"for want of memory, and use fewer workers"
                ) from error
    finally:
        if own:
            ray.shutdown()


ENGINES: dict[str, Engine] = {"local": on_this_machine, "ray": on_ray}
"""Name -> engine."""


def _end_with_parent() -> None:
    """A worker whose job was killed would wait for work for ever."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()
