"""A run at one moment: what a step that went wrong rolls back to is what a killed process resumes from.

On disk it is an archive of JSON and named tensors, no pickle, and of two moments only the older or the newer is ever
there: see `synthloom.files`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from synthloom import archive
from synthloom.errors import ModelFileError
from synthloom.spec import Batch

__all__ = [
    "State",
    "checkpoint_memo",
    "checkpoint_seed",
    "copies",
    "data_print",
    "moments",
    "network_print",
    "read",
    "set_moments",
    "set_streams",
    "streams",
    "write",
]


@dataclass(frozen=True)
class State:
    """All that is needed to go on as if nothing had happened. Nothing in it is ever changed in place."""

    course: dict[str, Any]  # counters, running means, history: JSON
    schedule: dict[str, Any]  # JSON
    streams: dict[str, Tensor]  # where torch's random streams stand
    network: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    best: dict[str, Tensor]  # the best network so far; empty before there is one


def write(path: Path, state: State, prints: Mapping[str, Any]) -> None:
    """Put `state` on disk, with the `prints` (JSON) of the training that it belongs to."""
    archive.write(
        path,
        {"course": state.course, "schedule": state.schedule, "prints": dict(prints)},
        {name: getattr(state, name) for name in ("streams", "network", "optimizer", "best")},
    )


def read(path: Path, prints: Mapping[str, Any]) -> State:
    """The state in the file; refused unless it belongs to the training with these `prints`."""
    stored = _open(path)
    differences = list(_differences(stored.documents["prints"], prints))
    if differences:
        more = f" (and {len(differences) - 3} more)" if len(differences) > 3 else ""
        raise ModelFileError(
            f"{path} can only go on with the training that wrote it, however: {'; '.join(differences[:3])}{more}; "
            f"set these as they were, or train anew without resuming"
        )
    tensors = {name: dict(stored.tensors.get(name, {})) for name in ("streams", "network", "optimizer", "best")}
    return State(stored.documents["course"], stored.documents["schedule"], **tensors)


def checkpoint_seed(path: Path) -> int:
    """The seed of the training that wrote this checkpoint, for one who let it be drawn and now wants to go on."""
    settings = _open(path).documents["prints"]["settings"]
    return int(settings.get("memo", settings)["seed"])


def checkpoint_memo(path: Path) -> dict[str, Any]:
    """What whoever began a private training left with its checkpoint, to be gone on with."""
    settings = _open(path).documents["prints"]["settings"]
    if "memo" not in settings:
        raise ModelFileError(f"{path} must be of a training with epsilon, however: it had none; train anew")
    return dict(settings["memo"])


def _open(path: Path) -> archive.Archive:
    stored = archive.read(path)
    if not {"course", "schedule", "prints"} <= stored.documents.keys():
        raise ModelFileError(f"{path} must be a checkpoint of a training, however: it is another synthloom file")
    return stored


def _differences(old: Any, new: Any, name: str = "") -> Iterable[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            yield from _differences(old.get(key), new.get(key), f"{name}, {key}" if name else key)
    elif old != new:
        yield f"{name} was {_or_none(old)} and is {_or_none(new)}"


def _or_none(value: Any) -> str:
    return "none" if value is None else "something" if isinstance(value, Mapping) else str(value)


# -- what tells one training from another ---------------------------------------------------------------------------


def network_print(network: nn.Module) -> dict[str, str]:
    """The shape and type of each tensor.

    >>> network_print(nn.Linear(3, 2))
    {'weight': 'float32 2x3', 'bias': 'float32 2'}
    """
    return {
        name: f"{str(tensor.dtype).removeprefix('torch.')} {'x'.join(map(str, tensor.shape))}"
        for name, tensor in network.state_dict().items()
    }


def data_print(data: Batch | None, look_at: int = 4096) -> str:
    """How many items there are, and a hash of at most `look_at` of them, evenly spread."""
    if data is None:
        return "none"
    some = torch.linspace(0, len(data) - 1, min(look_at, len(data)), dtype=torch.float64).round().long()
    sample = data.take(some).to(torch.device("cpu"))
    digest = hashlib.sha256()
    for name, value in sorted(vars(sample).items()):
        if isinstance(value, Tensor):
            plain = value.detach().cpu().contiguous()
            digest.update(f"{name} {plain.dtype} {tuple(plain.shape)} ".encode())
            digest.update(plain.flatten().view(torch.uint8).numpy().tobytes())
    return f"{len(data)} items {digest.hexdigest()[:16]}"


# -- an optimizer and the random streams, as tensors ----------------------------------------------------------------


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def moments(optimizer: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """What the optimizer remembers of each parameter, as "exp_avg/encoder.weight"."""
    return {
        f"{kind}/{name}": tensor
        for name, parameter in network.named_parameters()
        for kind, tensor in optimizer.state.get(parameter, {}).items()
    }


def set_moments(optimizer: torch.optim.Optimizer, network: nn.Module, stored: Mapping[str, Tensor]) -> None:
    """The inverse of `moments`; the optimizer gets copies."""
    parameters = dict(network.named_parameters())
    optimizer.state.clear()
    for key, tensor in stored.items():
        kind, name = key.split("/", 1)
        parameter = parameters[name]
        optimizer.state[parameter][kind] = tensor.detach().clone().to(parameter.device)


def streams(device: torch.device) -> dict[str, Tensor]:
    """Where torch's random streams stand: that of the CPU, and that of the device."""
    found = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        found["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        found["mps"] = torch.mps.get_rng_state()
    return found


def set_streams(device: torch.device, stored: Mapping[str, Tensor]) -> None:
    """The inverse of `streams`; a stream of another kind of device is left as it is."""
    torch.set_rng_state(stored["cpu"].cpu())
    if device.type == "cuda" and "cuda" in stored:
        torch.cuda.set_rng_state(stored["cuda"].cpu(), device)
    elif device.type == "mps" and "mps" in stored:
        torch.mps.set_rng_state(stored["mps"].cpu())
