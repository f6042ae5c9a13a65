"""A network of one's own: `nettuner search deploy/studies/own_net.yaml`."""

from torch import nn

from nettuner import Supervised


class Net(Supervised):
    """Says what to build; nettuner does the rest."""

    def build(self, *, hidden: int = 32, layers: int = 1, dropout: float = 0.0) -> nn.Module:
        """Keyword arguments are the hyperparameters that may be searched."""
        parts: list[nn.Module] = [nn.Flatten()]
        width = self.data.features
        for _ in range(layers):
            parts += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout)]
            width = hidden
        return nn.Sequential(*parts, nn.Linear(width, self.data.outputs))
