"""Where the arithmetic runs: the only file that looks for hardware."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from synthloom.errors import UsageError

if TYPE_CHECKING:
    import torch

__all__ = ["autocast", "free_memory", "one_by_one", "pick", "threads", "usable_cores"]


def pick(name: str = "auto") -> torch.device:
    """The device called `name`; "auto" takes CUDA, then Apple's MPS, then the CPU."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda", "mps"):
        raise UsageError(f'device must be "auto", "cpu", "cuda" or "mps", however: device={name!r}')
    if (kind == "cuda" and not torch.cuda.is_available()) or (kind == "mps" and not torch.backends.mps.is_available()):
        raise UsageError(f'device={name!r} was asked for, but this machine has none; use device="auto" or "cpu"')
    return torch.device(name)


@cache
def usable_cores() -> int:
    """Cores this process may really use: the affinity mask, the quota of a container if there is one, and its share
    beside other workers of torchrun."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = Path("/sys/fs/cgroup/cpu.max")
    if quota.exists():
        limit, period = quota.read_text().split()[:2]
        if limit != "max":
            cores = min(cores, max(1, int(limit) // int(period)))
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


@contextmanager
def threads(count: int | None, parameters: int) -> Iterator[int]:
    """Within the block torch computes on `count` threads; without a count, on what the network deserves.

    Small steps lose more to threads waiting for each other than they gain (a step of the table NVAE on 15 columns:
    152 ms on one core, 178 on two, and ten times that where the cores are busy), so a network of fewer than a million
    parameters gets one. The choice depends on the machine and on the network alone, never on the load of the moment,
    because the same seed gives the same bytes only with the same threads.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or (1 if parameters < 1_000_000 else usable_cores()))
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)


@cache
def _has_amx() -> bool:
    info = Path("/proc/cpuinfo")
    return info.exists() and "amx_bf16" in info.read_text()


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """bfloat16 where the hardware multiplies it faster than float32: CUDA, and CPUs with AMX (1.8 to 2.3 times)."""
    import torch

    if device.type == "cuda" or (device.type == "cpu" and _has_amx()):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


def one_by_one(tensor: torch.Tensor) -> bool:
    """Whether items are being computed one by one, by `torch.func`, so that each has a gradient of its own.

    Nobody can then look at a value, and kernels of our own, written for many items, step aside for plain ones.
    """
    import torch

    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


def free_memory() -> int:
    """Bytes of main memory that can still be had without swapping."""
    info = Path("/proc/meminfo")
    if not info.exists():
        return 1 << 40  # no cheap way to ask here: assume enough rather than refuse wrongly
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024
