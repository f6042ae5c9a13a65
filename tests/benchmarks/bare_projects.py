"""Two projects, each as people write it and as nettuner is given it; for `bare.py`."""

from __future__ import annotations

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from nettuner import Supervised

EPOCHS = 12
RATE = 1e-3


def images():
    """Images [rows, 1, 8, 8] and labels of the digits."""
    pixels, labels = load_digits(return_X_y=True)
    return torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16, torch.tensor(labels)


def network():
    """A small convolutional network."""
    layers = [nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))


def loop(net, optimiser, rounds, report):
    """The loop itself, wherever it runs."""
    pixels, labels = images()
    for _ in rounds:
        net.train()
        for rows in torch.randperm(1400).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(net(pixels[rows]), labels[rows]).backward()
            optimiser.step()
        net.eval()
        with torch.no_grad():
            report(functional.cross_entropy(net(pixels[1400:]), labels[1400:]))


def bare_loop():
    """The loop without nettuner; answers with the losses."""
    losses = []
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    loop(net, optimiser, range(EPOCHS), lambda loss: losses.append(float(loss)))
    return losses


def train(hyperparameters, context):
    """The same with a context."""
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), lr=hyperparameters["learning_rate"])
    context.keep(net=net, optimiser=optimiser)
    loop(net, optimiser, context.rounds(), lambda loss: context.report(val_loss=loss))


def loaders():
    """Training and validation rows, in batches."""
    pixels, labels = images()
    train, validation = (
        TensorDataset(pixels[part], labels[part]) for part in (slice(1400), slice(1400, None))
    )
    return DataLoader(train, 64, shuffle=True), DataLoader(validation, 256)


def data():
    """The same, as nettuner is given it."""
    train, validation = loaders()
    return {"train": train, "validation": validation}


class Net(Supervised):
    """The same network."""

    def build(self):
        """It has no hyperparameters of its own."""
        return network()


def bare_loader():
    """A loop over the loaders without nettuner; answers with the losses."""
    train, validation = loaders()
    net = network()
    optimiser = torch.optim.Adam(net.parameters(), lr=RATE)
    losses = []
    for _ in range(EPOCHS):
        net.train()
        for pixels, labels in train:
            optimiser.zero_grad()
            functional.cross_entropy(net(pixels), labels).backward()
            optimiser.step()
        net.eval()
        with torch.no_grad():
            outputs = [(net(pixels), labels) for pixels, labels in validation]
        answers, wanted = (torch.cat(parts) for parts in zip(*outputs, strict=True))
        loss = functional.cross_entropy(answers, wanted)
        accuracy = (answers.argmax(1) == wanted).double().mean()
        losses.append((float(loss), float(accuracy)))
    return losses
