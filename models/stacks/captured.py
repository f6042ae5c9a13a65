"""Operations on a GPU that are captured once and replayed, without Python between them."""

from __future__ import annotations

from collections.abc import Callable

import torch

# Calls before the capture: libraries choose their kernels and take their workspaces in them.
CALLS_BEFORE = 2


class Captured:
    """A function of no arguments that works in place on tensors of a device.

    On a GPU its third call captures it as a CUDA graph, which that call and all later ones replay.
    What cannot be captured, as it asks the device for a number, is called as it is.

    Args:
        function: Function; it must depend on nothing but tensors that stay where they are.
        device: Device of the tensors.
    """

    def __init__(self, function: Callable[[], None], device: torch.device) -> None:
        self._function = function
        self._left = CALLS_BEFORE
        self._graph: torch.cuda.CUDAGraph | None = None
        self._can_be = device.type == "cuda"

    def __call__(self) -> None:
        """Call the function."""
        if self._can_be and self._graph is None and not self._left:
            self._graph = self._capture()
        self._left = max(0, self._left - 1)
        if self._graph is None:
            self._function()
        else:
            self._graph.replay()

    def _capture(self) -> torch.cuda.CUDAGraph | None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._function()
        except torch.OutOfMemoryError:
            raise
        except RuntimeError:  # nothing was done, as a capture only writes down
            torch.cuda.synchronize()
            self._can_be = False
            return None
        return graph
