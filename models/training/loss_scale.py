"""The scaling of a loss in float16, in which small gradients would else vanish.

The loss is multiplied before it is differentiated, and the gradients are divided by the same number
afterwards. It is halved at every overflow, and doubled after many steps without one.

Source: Micikevicius et al. (2018), arXiv:1710.03740, section 3.2; the first scale and the steps
before it is doubled are those of torch's GradScaler.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from nettuner.models.torch_private import unscale
from nettuner.models.training.losses import DivergedError

FIRST = 2.0**16
DOUBLED_AFTER = 2000
# The smallest normal number of float16: a loss that overflows at this scale is no loss to train by.
LEAST = 2.0**-14


class LossScale:
    """The scale of one network's loss, or of each member of a stack. It waits for no device.

    Args:
        device: Device that the loss is computed on.
        members: Members of a stack; None for a network alone.
    """

    def __init__(self, device: torch.device, members: int | None = None) -> None:
        shape = () if members is None else (members,)
        self.scale = torch.full(shape, FIRST, device=device)
        self.good = torch.zeros(shape, device=device)
        """Steps without an overflow since the scale was changed."""

    @property
    def state(self) -> Tensor:
        """What a training goes on from: scale and good steps, shape [2] or [2, members]."""
        return torch.stack([self.scale, self.good])

    def load(self, state: Tensor, member: int | None = None) -> None:
        """Go on from a state that was saved, shape [2]; of one member of a stack."""
        at = ... if member is None else member
        self.scale[at], self.good[at] = state[0], state[1]

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss to be differentiated, in float32."""
        return loss.float() * self.scale

    @torch.no_grad()
    def unscale(self, grads: Sequence[Tensor]) -> Tensor:
        """Divide the gradients of a network by the scale, in place, and adapt the scale.

        Returns:
            1.0 where one of them is not finite, so that the step is to be skipped, else 0.0.
        """
        skip = torch.zeros_like(self.scale)
        unscale(grads, skip, 1 / self.scale)
        self.adapt(skip > 0)
        return skip

    @torch.no_grad()
    def unscale_rows(self, grads: Tensor) -> Tensor:
        """The same for the members of a stack.

        Args:
            grads: Gradients, shape [members, parameters].

        Returns:
            Whether each member's step is to be skipped, shape [members].
        """
        grads.mul_(1 / self.scale[:, None])
        skip = ~grads.isfinite().all(1)
        self.adapt(skip)
        return skip

    def adapt(self, skip: Tensor) -> None:
        """Halve the scale where a step is skipped, double it after enough steps that were not."""
        self.good.add_(1).masked_fill_(skip, 0)
        grows = self.good == DOUBLED_AFTER
        self.scale.mul_(torch.where(skip, 0.5, torch.where(grows, 2.0, 1.0)))
        self.good.masked_fill_(grows, 0)


def too_small(network: str, scale: float, round_: int) -> DivergedError | None:
    """Why a training ends whose scale has become this small; None if it goes on."""
    if scale >= LEAST:
        return None
    return DivergedError(
        f"in fp16 the scale of the loss of {network} must stay at {LEAST:.2g} or more, got "
        f"{scale:.2g} after round {round_}; take bf16 or float32"
    )
