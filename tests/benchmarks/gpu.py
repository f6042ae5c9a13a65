"""Training on a GPU: the same results as on a CPU, and how fast stacks are beside other ways.

    python tests/benchmarks/gpu.py

is made for five minutes of one GPU and writes `results/gpu.json`. For each network and number of
members: seconds per step of a stack, beside the same networks one after another in eager torch on
the same card (the speed-up), beside `torch.func.vmap` as one writes it by hand, and beside several
processes that share the card; the share of what the card reaches in a large product of matrices.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from gpu_networks import NETWORKS, Bench, hyperparameters
from gpu_timings import Alone, Vectorised, peak, per_step, shared, stacked

from nettuner.models.data.dataset import held
from nettuner.models.stacks.kind import kind_for
from nettuner.models.stacks.training import fit_stack
from nettuner.models.study import Length
from nettuner.models.training.batches import total_steps
from nettuner.models.training.device import finish, in_use, named
from nettuner.models.training.loop import fit
from nettuner.models.training.precision import in_full

MEMBERS = (1, 4, 16, 64, 256, 1024)
PROCESSES = (2, 4, 8)
RESULTS = Path(__file__).parent / "results" / "gpu.json"


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="Training on a GPU, and stacks beside other ways.")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--members", default=",".join(map(str, MEMBERS)))
    parser.add_argument("--processes", default=",".join(map(str, PROCESSES)))
    parser.add_argument("--networks", default=",".join(NETWORKS))
    parser.add_argument("--seconds", type=float, default=0.4, help="of each measurement")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    with in_full(torch.device(given.device)):
        measure_all(given)


def measure_all(given: argparse.Namespace) -> None:
    """Measure every network, print and write after each."""
    device = torch.device(given.device)
    members = [int(count) for count in given.members.split(",")]
    processes = [int(count) for count in given.processes.split(",") if count]
    told: dict[str, Any] = {
        "device": named(device),
        "torch": torch.__version__,
        "peak": {of: peak(device, of) for of in ("float32", "tf32")},
        "networks": {},
    }
    for name in given.networks.split(","):
        began = time.perf_counter()
        told["networks"][name] = found = measured(name, device, members, given.seconds)
        found["processes"] = {
            count: shared(name, count, given.device, 5 * given.seconds) for count in processes
        }
        found["seconds in all"] = time.perf_counter() - began
        show(name, found, told["peak"])
        given.output.parent.mkdir(parents=True, exist_ok=True)
        given.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def measured(name: str, device: torch.device, members: list[int], seconds: float) -> dict[str, Any]:
    """All that is measured of a network."""
    bench = NETWORKS[name]
    with in_use(device):
        alone = Alone(bench, device, "float32")
        found: dict[str, Any] = {
            "agreement": agreement(bench, device),
            "operations": alone.operations(),
            "alone": per_step(alone.step, device, seconds),
            "alone in tf32": per_step(Alone(bench, device, "tf32").step, device, seconds),
        }
    ways = ("groups", "products") if bench.learner == "cnn" else ("groups",)
    found["stacks"] = [
        stacked(bench, count, device, seconds, convolution=way) for count in members for way in ways
    ]
    most = [count for count in members if count in (64, 1024)]
    found["stacks in tf32"] = [
        stacked(bench, count, device, seconds, "tf32", convolution=way)
        for count in most
        for way in ways
    ]
    found["vectorised"] = [
        stacked(bench, count, device, seconds, kind=Vectorised) for count in members[1:4]
    ]
    found["whole trainings"] = whole(bench, device, most)
    return found


def agreement(bench: Bench, device: torch.device) -> dict[str, float]:
    """Largest difference of validation losses after two epochs, relative to the loss.

    Of a network on the device to itself on a CPU, and of members of a stack on the device to
    themselves alone there.
    """
    learner, dataset = bench.made()
    params, length = hyperparameters(bench, 3), Length(2)
    goal = "val_loss"

    def alone(member: int, there: torch.device) -> list[float]:
        rounds = fit(learner, dataset, params[member], length, seed=(0, member), device=there)
        return [metrics[goal] for _, metrics in rounds]

    on_cpu, here = (alone(1, there) for there in (torch.device("cpu"), device))
    seeds = [(0, member) for member in range(3)]
    stack = kind_for(device)(learner, params, seeds, {}, device=device)
    beside = [found[1][goal] for _, found in fit_stack(stack, dataset, length)]  # type: ignore[index]
    single = kind_for(device)(learner, params[1:2], seeds[1:2], {}, device=device)
    by_itself = [found[0][goal] for _, found in fit_stack(single, dataset, length)]  # type: ignore[index]
    return {
        "CPU and device": difference(on_cpu, here),
        "member of three and alone": difference(here, beside),
        "stack of one and alone": difference(here, by_itself),
    }


def difference(left: list[float], right: list[float]) -> float:
    """The largest relative difference."""
    return max(abs(a - b) / abs(a) for a, b in zip(left, right, strict=True))


def whole(bench: Bench, device: torch.device, members: list[int]) -> list[dict[str, float]]:
    """Trainings per second over three epochs, all that belongs to them included."""
    learner, dataset = bench.made()
    length, told = Length(3), []
    steps = total_steps(length, -(-len(held(dataset.train)) // int(bench.params["batch_size"])))  # type: ignore[call-overload]
    (params,) = hyperparameters(bench, 1)
    for count in members:
        with in_use(device):
            finish(device)
            began = time.perf_counter()
            some, seeds = hyperparameters(bench, count), [(0, k) for k in range(count)]
            stack = kind_for(device)(learner, some, seeds, {}, device=device)
            made = time.perf_counter()
            for _ in fit_stack(stack, dataset, length):
                pass
            finish(device)
            ended = time.perf_counter()
            del stack
        told.append(
            {"members": count, "made": made - began, "trained": ended - made, "steps": steps}
        )
    with in_use(device):
        began = time.perf_counter()
        for _ in fit(learner, dataset, params, length, seed=(0, 0), device=device):
            pass
        told.append(
            {"members": 1, "made": 0.0, "trained": time.perf_counter() - began, "steps": steps}
        )
    return told


def show(name: str, found: dict[str, Any], peaks: dict[str, float]) -> None:
    """Print what was found of a network."""
    alone = found["alone"]
    print(f"\n{name}: alone {alone * 1e6:,.0f} us a step, {found['operations'] / 1e6:,.1f} MFLOP")
    print("  " + ", ".join(f"{what}: {value:.1e}" for what, value in found["agreement"].items()))
    for kind in ("stacks", "stacks in tf32", "vectorised"):
        one = found["alone in tf32"] if "tf32" in kind else alone
        for of in found[kind]:
            if "failed" in of:
                print(f"  {kind} {of['members']} {of['convolution']}: {of['failed']}")
                continue
            step, count = of["seconds per step"], of["members"]
            share = count * found["operations"] / step / peaks[of["precision"]]
            print(
                f"  {kind} {count:5} {of['convolution']:9} {step * 1e6:9,.0f} us "
                f"{count * one / step:8.1f} x alone  {share:6.1%} of the peak"
                f"{'' if of['captured'] else '  not captured'}  {of['seconds in all']:.1f} s"
            )
    for count, steps in found["processes"].items():
        print(f"  {count} processes: {steps * alone:.2f} x alone")
    for of in found["whole trainings"]:
        print("  whole", {key: round(value, 3) for key, value in of.items()})
    print(f"  measured in {found['seconds in all']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
