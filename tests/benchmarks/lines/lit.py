"""The same as deploy/studies/lit.yaml, with Optuna."""

import lightning
import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset, random_split


class Lit(lightning.LightningModule):
    """A small network, and its optimiser with a schedule."""

    def __init__(self, learning_rate: float = 1e-3, hidden: int = 32, dropout: float = 0.2):
        super().__init__()
        self.learning_rate = learning_rate
        layers = nn.Linear(64, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 10)
        self.net = nn.Sequential(nn.Flatten(), *layers)

    def training_step(self, batch, _):
        return functional.cross_entropy(self.net(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.log("val_loss", functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), self.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.trainer.max_epochs)
        return [optimizer], [schedule]


def loaders():
    """Training and validation rows."""
    pixels, labels = load_digits(return_X_y=True)
    rows = TensorDataset(torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(labels))
    generator = torch.Generator().manual_seed(0)
    train, validation, _ = random_split(rows, [0.6, 0.2, 0.2], generator)
    return DataLoader(train, 64, shuffle=True), DataLoader(validation, 256)


def objective(trial):
    """The validation loss after eight epochs."""
    lightning.seed_everything(trial.number)
    module = Lit(
        trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True),
        trial.suggest_int("hidden", 16, 128, log=True),
        trial.suggest_float("dropout", 0.0, 0.6),
    )
    trainer = lightning.Trainer(
        max_epochs=8, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(module, *loaders())
    trainer.save_checkpoint(f"lit-{trial.number}.ckpt")
    return trainer.callback_metrics["val_loss"].item()


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="lit",
        storage="sqlite:///lit.db",
        load_if_exists=True,
        sampler=optuna.samplers.GPSampler(seed=0),
    )
    study.optimize(objective, n_trials=16 - len(study.trials))
    print(study.best_params, study.best_value)
