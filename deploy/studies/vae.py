"""A variational autoencoder with a loop of its own: `nettuner search deploy/studies/vae.yaml`."""

import torch
from torch import nn
from torch.nn import functional


class VAE(nn.Module):
    """Kingma and Welling (2014), arXiv:1312.6114."""

    def __init__(self, hidden, latent):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, 2 * latent))
        self.decode = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, 64))

    def forward(self, images):
        """Logits of the pixels, and the divergence of each image's code from a normal one."""
        mean, log_variance = self.encode(images).chunk(2, dim=1)
        codes = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        divergence = (mean**2 + log_variance.exp() - log_variance - 1).sum(1) / 2
        return self.decode(codes), divergence


def bound(net, images):
    """The negative evidence lower bound [nats an image]."""
    logits, divergence = net(images)
    pixels = functional.binary_cross_entropy_with_logits(logits, images, reduction="none").sum(1)
    return (pixels + divergence).mean()


def train(hyperparameters, context):
    """Everything is as in a script; the context is its rounds, its state and its report."""
    train, validation = (
        torch.from_numpy(part.inputs).flatten(1)
        for part in (context.data.train, context.data.validation)
    )
    net = VAE(hyperparameters["hidden"], hyperparameters["latent"])
    optimizer = torch.optim.Adam(net.parameters(), hyperparameters["learning_rate"])
    context.keep(net=net, optimizer=optimizer)
    for _ in context.rounds():
        for images in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            bound(net, images).backward()
            optimizer.step()
        with torch.no_grad():
            context.report(val_bound=bound(net, validation))
            drawn = net.decode(torch.randn(10, hyperparameters["latent"])).sigmoid()
            context.show("drawn", drawn.view(10, 8, 8).transpose(0, 1).reshape(8, 80))
