"""Checkpoints of a training in one file: weights, their averages, the state of optimisers, and the
scales of losses in fp16."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from nettuner.models.optimisers import Optimiser
from nettuner.models.training import tensor_file
from nettuner.models.training.averages import Averages
from nettuner.models.training.loss_scale import LossScale

Moments = Mapping[str, Mapping[int, Mapping[str, Any]]]
Averaged = Mapping[str, Mapping[str, Tensor]]
Scales = Mapping[str, Tensor]


class Saved(NamedTuple):
    """What a checkpoint has beside weights.

    Args:
        rounds: Rounds trained.
        moments: Optimiser state by network and parameter index, as in torch.
        averages: Averaged weights by network and name.
        scales: State of the scale of each network's loss, where there is one.
    """

    rounds: int
    moments: Moments
    averages: Averaged
    scales: Scales


def save(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimiser],
    rounds: int,
    averages: Averages | None = None,
    scales: Mapping[str, LossScale] | None = None,
) -> None:
    """Write weights, their averages, buffers, optimiser state and the scales of losses after
    `rounds` rounds of training.

    Hyperparameters are left out: they are an argument of every step, not part of the state.
    """
    moments = {name: optimiser.state for name, optimiser in optimisers.items()}
    states = {name: scale.state for name, scale in (scales or {}).items()}
    write(path, networks, Saved(rounds, moments, averages.of if averages else {}, states))


def write(path: Path, networks: Mapping[str, nn.Module], saved: Saved) -> None:
    """Like `save`, with the tensors themselves."""
    tensors: dict[str, Tensor] = {}
    for name, network in networks.items():
        for key, tensor in network.state_dict().items():
            tensors[f"network/{name}/{key}"] = tensor
    for name, averaged in saved.averages.items():
        for key, tensor in averaged.items():
            tensors[f"average/{name}/{key}"] = tensor
    for name, of_network in saved.moments.items():
        for index, found in of_network.items():
            for key, moment in found.items():
                if moment is not None:
                    tensors[f"optimiser/{name}/{index}/{key}"] = torch.as_tensor(moment)
    tensors |= {f"scale/{name}": state for name, state in saved.scales.items()}
    tensor_file.write(path, tensors, {"rounds": str(saved.rounds)})


def load(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimiser],
    averages: Averages | None = None,
    scales: Mapping[str, LossScale] | None = None,
) -> int:
    """Load a checkpoint into networks, optimisers, averages and scales of the same structure.

    Returns:
        Rounds trained when it was saved.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or belongs to networks of another structure.
    """
    saved = read(path, networks)
    for name, optimiser in optimisers.items():
        optimiser.load(saved.moments.get(name, {}))
    if averages:
        averages.load(saved.averages)
    for name, scale in (scales or {}).items():
        if name in saved.scales:
            scale.load(saved.scales[name])
    return saved.rounds


def load_to_answer(path: Path, networks: Mapping[str, nn.Module]) -> None:
    """Load what answers into networks: averaged weights where there are, else the weights.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or belongs to networks of another structure.
    """
    for name, averaged in read(path, networks).averages.items():
        networks[name].load_state_dict(averaged, strict=False)  # buffers are not averaged


def read(path: Path, networks: Mapping[str, nn.Module]) -> Saved:
    """Load the weights of a checkpoint into networks; returns the rest.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or belongs to networks of another structure.
    """
    try:
        metadata, tensors = tensor_file.read(path)
        rounds = int(metadata["rounds"])
        for name, network in networks.items():
            network.load_state_dict(_below(tensors, f"network/{name}/"))
    except KeyError as error:
        raise ValueError(f"checkpoint {path} does not fit: no {error} in it; train anew") from error
    except (SafetensorError, RuntimeError) as error:
        why = str(error).splitlines()[:2][-1].strip()  # torch's first line names no parameter
        raise ValueError(f"checkpoint {path} does not fit: {why}; train anew") from error
    moments: dict[str, dict[int, dict[str, Tensor]]] = {name: {} for name in networks}
    for name, of_network in moments.items():
        for key, tensor in _below(tensors, f"optimiser/{name}/").items():
            index, _, moment = key.partition("/")
            of_network.setdefault(int(index), {})[moment] = tensor
    averages = {name: _below(tensors, f"average/{name}/") for name in networks}
    return Saved(rounds, moments, averages, _below(tensors, "scale/"))


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: t for key, t in tensors.items() if key.startswith(prefix)}
