"""What a trial could change in its process, so that the next one there would be another."""

from __future__ import annotations

import decimal
import gc
import locale
import logging
import os
import signal
import socket
import sys
import threading
from typing import Any

import numpy as np
import torch

# The thread that fills a queue of `multiprocessing`, which ends by itself once that is closed.
QUEUE_FEEDER = "QueueFeederThread"
LOADER_SIGNALS = "torch.utils.data._utils.signal_handling"


def process_state() -> dict[str, Any]:
    """Settings of this process that hold for all that runs in it, to be compared.

    Weights, batches and draws are not among them: every trial seeds its own generators.
    """
    return {
        "folder": _folder(),
        "environment": dict(os.environ),
        "umask": _umask(),
        "path": list(sys.path),
        "streams": (id(sys.stdin), id(sys.stdout), id(sys.stderr)),
        "hooks": (id(sys.excepthook), id(sys.gettrace()), id(sys.getprofile())),
        "recursion": sys.getrecursionlimit(),
        "signals": {number: _handler(number) for number in signal.valid_signals()},
        "alarm": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "threads": sorted(t.name for t in threading.enumerate() if t.name != QUEUE_FEEDER),
        "locale": locale.setlocale(locale.LC_ALL),
        "decimal": repr(decimal.getcontext()),
        "logging": (logging.root.manager.disable, logging.root.level, len(logging.root.handlers)),
        "timeout": socket.getdefaulttimeout(),
        "collector": gc.isenabled(),
        "numpy": np.geterr(),
        "torch": _torch(),
    }


def _handler(number: int) -> Any:
    """What a signal does; torch's DataLoader only listens for the ends of its own processes."""
    found = signal.getsignal(number)
    is_loaders = getattr(found, "__module__", "") == LOADER_SIGNALS
    return signal.SIG_DFL if number == signal.SIGCHLD and is_loaders else found


def _folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _torch() -> dict[str, Any]:
    return {
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "dtype": torch.get_default_dtype(),
        "device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "precision": torch.get_float32_matmul_precision(),
        "cudnn": (torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
        "mkldnn": torch.backends.mkldnn.enabled,
        "autocast": (torch.is_autocast_enabled("cpu"), torch.is_autocast_enabled("cuda")),
        "checks": torch.distributions.Distribution._validate_args,
    }
