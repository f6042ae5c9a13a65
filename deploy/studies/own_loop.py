"""A training loop of one's own: `nettuner search deploy/studies/own_loop.yaml`."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

pixels, digits = load_digits(return_X_y=True)
images, labels = torch.tensor(pixels / 16, dtype=torch.float32), torch.tensor(digits)


def train(hyperparameters, context):
    """Train a network on handwritten digits."""
    hidden, rate = hyperparameters["hidden"], hyperparameters["learning_rate"]
    net = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    context.keep(net=net, optimiser=optimiser)
    for _ in context.rounds():
        for rows in torch.randperm(1400).split(64):
            optimiser.zero_grad()
            functional.cross_entropy(net(images[rows]), labels[rows]).backward()
            optimiser.step()
        with torch.no_grad():
            loss = functional.cross_entropy(net(images[1400:]), labels[1400:])
        context.report(val_loss=loss)
