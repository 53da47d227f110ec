"""From data and a network to a fitted network: one loop, schedules for the KL, checkpoints, and who is told."""

from synthloom.training.checkpoint import checkpoint_memo, checkpoint_seed
from synthloom.training.loop import History, Interrupted, Settings, train
from synthloom.training.private import Private
from synthloom.training.schedules import Constant, Cyclical, FreeBits, Linear, RateTarget, Schedule
from synthloom.training.team import Team, joined, team
from synthloom.training.tracking import CsvTracker, TensorBoardTracker, Tracker, WandbTracker

__all__ = [
    "Constant",
    "CsvTracker",
    "Cyclical",
    "FreeBits",
    "History",
    "Interrupted",
    "Linear",
    "Private",
    "RateTarget",
    "Schedule",
    "Settings",
    "Team",
    "TensorBoardTracker",
    "Tracker",
    "WandbTracker",
    "checkpoint_memo",
    "checkpoint_seed",
    "joined",
    "team",
    "train",
]
