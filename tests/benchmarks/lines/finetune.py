"""The same as deploy/studies/finetune.yaml, with Optuna."""

from copy import deepcopy
from functools import cache

import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional


def digits(first, last):
    """Images [rows, 1, 8, 8] and labels, counted from 0, of the digits from `first` to `last`."""
    pixels, labels = load_digits(return_X_y=True)
    rows = (first <= labels) & (labels <= last)
    images = torch.tensor(pixels[rows], dtype=torch.float32).view(-1, 1, 8, 8) / 16
    return images, torch.tensor(labels[rows] - first)


@cache
def pretrained():
    """A network trained on the digits 0 to 6; where there is a file of weights, load it here."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
    net = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 7))
    optimiser = torch.optim.Adam(net.parameters(), lr=3e-3)
    images, labels = digits(0, 6)
    for _ in range(60):
        optimiser.zero_grad()
        functional.cross_entropy(net(images), labels).backward()
        optimiser.step()
    return net


def split():
    """Training, validation and test rows of the digits 7 to 9."""
    images, labels = digits(7, 9)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    held_out = len(labels) // 5
    parts = order.split([len(labels) - 2 * held_out, held_out, held_out])
    return [(images[rows], labels[rows]) for rows in parts]


def accuracy(net, part):
    """Share of rows that are classified rightly."""
    net.eval()
    with torch.no_grad():
        return (net(part[0]).argmax(1) == part[1]).double().mean().item()


def objective(trial):
    """Validation accuracy after ten epochs; the first `frozen` layers stay as they are."""
    frozen = trial.suggest_categorical("frozen", [0, 1, 3, 7])
    dropout = trial.suggest_float("dropout", 0.0, 0.5)
    rate = trial.suggest_float("learning_rate", 1e-4, 0.03, log=True)
    size = trial.suggest_categorical("batch_size", [16, 32, 64])
    body = deepcopy(pretrained())[:-1]
    for layer in body[:frozen]:
        layer.requires_grad_(False)
    torch.manual_seed(trial.number)
    net = nn.Sequential(body, nn.Dropout(dropout), nn.Linear(64, 3))
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    (images, labels), validation, test = split()
    for epoch in range(10):
        net.train()
        for rows in torch.randperm(len(labels)).split(size):
            optimiser.zero_grad()
            functional.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimiser.step()
        trial.report(accuracy(net, validation), epoch)
    trial.set_user_attr("test_accuracy", accuracy(net, test))
    torch.save(net.state_dict(), f"finetune-{trial.number}.pt")
    return accuracy(net, validation)


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="finetune",
        storage="sqlite:///finetune.db",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.GPSampler(seed=0),
    )
    study.optimize(objective, n_trials=20 - len(study.trials))
    print(study.best_params, study.best_value, study.best_trial.user_attrs)
