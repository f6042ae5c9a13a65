"""The same as deploy/studies/embeddings.yaml, with Optuna."""

import numpy as np
import optuna
import torch
from torch import nn
from torch.nn import functional


def make(rows=3000):
    """What flats cost, by their size, their district (of 30) and their kind (of 5)."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, 3)).astype(np.float32)
    district, kind = rng.integers(30, size=rows), rng.integers(5, size=rows)
    price = numbers @ [1.0, 0.5, -0.3] + rng.normal(size=30)[district] + 0.3 * kind
    price += 0.2 * rng.normal(size=rows)
    columns = [torch.from_numpy(column) for column in (numbers, district, kind)]
    return [*columns, torch.tensor(price, dtype=torch.float32)]


class Mixed(nn.Module):
    """Embeddings beside the numbers, and a hidden layer."""

    def __init__(self, width, hidden):
        super().__init__()
        self.district, self.kind = nn.Embedding(30, width), nn.Embedding(5, width)
        self.layers = nn.Sequential(
            nn.Linear(3 + 2 * width, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )

    def forward(self, numbers, district, kind):
        """Map rows to one number each."""
        return self.layers(torch.cat([numbers, self.district(district), self.kind(kind)], 1))


def error(net, part):
    """Root mean square error."""
    with torch.no_grad():
        return functional.mse_loss(net(*part[:-1]).squeeze(1), part[-1]).sqrt().item()


def objective(trial):
    """Validation error after ten epochs."""
    rate = trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True)
    width = trial.suggest_categorical("width", [2, 4, 8, 16])
    hidden = trial.suggest_int("hidden", 8, 128, log=True)
    decay = trial.suggest_float("weight_decay", 1e-6, 1e-1, log=True)
    columns = make()
    order = torch.randperm(3000, generator=torch.Generator().manual_seed(0))
    train, validation, test = (
        [column[rows] for column in columns] for rows in order.split([2100, 600, 300])
    )
    torch.manual_seed(trial.number)
    net = Mixed(width, hidden)
    optimizer = torch.optim.Adam(net.parameters(), rate, weight_decay=decay)
    for epoch in range(10):
        for rows in torch.randperm(2100).split(64):
            numbers, district, kind, price = (column[rows] for column in train)
            optimizer.zero_grad()
            functional.mse_loss(net(numbers, district, kind).squeeze(1), price).backward()
            optimizer.step()
        trial.report(error(net, validation), epoch)
    trial.set_user_attr("test_rmse", error(net, test))
    torch.save(net.state_dict(), f"embeddings-{trial.number}.pt")
    return error(net, validation)


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="embeddings",
        storage="sqlite:///embeddings.db",
        load_if_exists=True,
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    study.optimize(objective, n_trials=16 - len(study.trials))
    print(study.best_params, study.best_value, study.best_trial.user_attrs)
