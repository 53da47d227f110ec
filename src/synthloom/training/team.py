"""Several processes that train one network: those of torchrun, or of any process group of torch that is there.

Each worker does its share of every step's items. Gradients, and the sums that schedules and curves go by, are added up
over all, so every worker takes the same step and holds the same weights; the first one's clock is everybody's, and it
alone writes. A worker that is alone is a team as well, of one, for which nothing here does anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

__all__ = ["Team", "joined", "team"]


@dataclass(frozen=True)
class Team:
    """This worker's place among all of them."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes."""
        return self.rank == 0

    def share(self, index: Tensor) -> Tensor:
        """What this worker does of a step's items.

        >>> [Team(rank, 3).share(torch.arange(7)).tolist() for rank in range(3)]
        [[0, 1, 2], [3, 4], [5, 6]]
        """
        return index.tensor_split(self.size)[self.rank]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Put the sum over all workers into each of the tensors; to the same bits everywhere."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, total in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    def agreed(self, *numbers: float) -> tuple[float, ...]:
        """The numbers as the first worker has them."""
        if self.size == 1:
            return numbers
        on = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        told = torch.tensor(numbers, dtype=torch.float64, device=on)
        distributed.broadcast(told, 0)
        return tuple(told.tolist())


def team() -> Team:
    """The team of the process group that this process is in, or one of itself alone."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return Team()
    return Team(distributed.get_rank(), distributed.get_world_size())


@contextmanager
def joined() -> Iterator[Team]:
    """Within the block, the team that torchrun has started this process for, if it has."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or distributed.is_initialized():
        yield team()
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield team()
    finally:
        distributed.destroy_process_group()
