"""A LightningModule: `nettuner search deploy/studies/lit.yaml`."""

import lightning
import torch
from torch import nn
from torch.nn import functional


class Lit(lightning.LightningModule):
    """The arguments are hyperparameters, with or without a place in the space."""

    def __init__(self, learning_rate: float = 1e-3, hidden: int = 32, dropout: float = 0.2):
        super().__init__()
        self.learning_rate = learning_rate
        layers = nn.Linear(64, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 10)
        self.net = nn.Sequential(nn.Flatten(), *layers)

    def training_step(self, batch, _):  # noqa: D102
        return functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, _):  # noqa: D102
        self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):  # noqa: D102
        optimizer = torch.optim.AdamW(self.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.trainer.max_epochs)
        return [optimizer], [schedule]
