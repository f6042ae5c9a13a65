"""Checkpoints of a training: weights, their averages and the state of optimisers in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from nettuner.models.optimisers import Optimiser
from nettuner.models.training import tensor_file
from nettuner.models.training.averages import Averages

Moments = Mapping[str, Mapping[int, Mapping[str, Any]]]
Averaged = Mapping[str, Mapping[str, Tensor]]


def save(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimiser],
    rounds: int,
    averages: Averages | None = None,
) -> None:
    """Write weights, their averages, buffers and optimiser state after `rounds` rounds of training.

    Hyperparameters are left out: they are an argument of every step, not part of the state.
    """
    moments = {name: optimiser.state for name, optimiser in optimisers.items()}
    write(path, networks, moments, rounds, averages.of if averages else {})


def write(
    path: Path,
    networks: Mapping[str, nn.Module],
    moments: Moments,
    rounds: int,
    averages: Averaged,
) -> None:
    """Like `save`, with the optimiser state by network and parameter index, as in torch."""
    tensors: dict[str, Tensor] = {}
    for name, network in networks.items():
        for key, tensor in network.state_dict().items():
            tensors[f"network/{name}/{key}"] = tensor
    for name, averaged in averages.items():
        for key, tensor in averaged.items():
            tensors[f"average/{name}/{key}"] = tensor
    for name, of_network in moments.items():
        for index, found in of_network.items():
            for key, moment in found.items():
                if moment is not None:
                    tensors[f"optimiser/{name}/{index}/{key}"] = torch.as_tensor(moment)
    tensor_file.write(path, tensors, {"rounds": str(rounds)})


def load(
    path: Path,
    networks: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimiser],
    averages: Averages | None = None,
) -> int:
    """Load a checkpoint into networks, optimisers and averages of the same structure.

    Returns:
        Rounds trained when it was saved.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or belongs to networks of another structure.
    """
    rounds, moments, averaged = read(path, networks)
    for name, optimiser in optimisers.items():
        optimiser.load(moments.get(name, {}))
    if averages:
        averages.load(averaged)
    return rounds


def load_to_answer(path: Path, networks: Mapping[str, nn.Module]) -> None:
    """Load what answers into networks: averaged weights where there are, else the weights.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or belongs to networks of another structure.
    """
    _, _, averages = read(path, networks)
    for name, averaged in averages.items():
        networks[name].load_state_dict(averaged, strict=False)  # buffers are not averaged


def read(path: Path, networks: Mapping[str, nn.Module]) -> tuple[int, Moments, Averaged]:
    """Load the weights of a checkpoint into networks.

    Returns:
        Rounds trained, the optimiser state by network and parameter index, and the averages of
        weights by network and name.

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
    return rounds, moments, averages


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key[len(prefix) :]: t for key, t in tensors.items() if key.startswith(prefix)}
