"""The same as deploy/studies/vae.yaml, with Optuna."""

import optuna
import torch
from sklearn.datasets import load_digits
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


def split():
    """Training and validation images."""
    images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    return images[order[719:]], images[order[:359]]


def objective(trial):
    """The bound on the validation images after 30 epochs."""
    rate = trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True)
    hidden = trial.suggest_int("hidden", 32, 256, log=True)
    latent = trial.suggest_int("latent", 2, 16)
    train, validation = split()
    torch.manual_seed(trial.number)
    net = VAE(hidden, latent)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    for epoch in range(30):
        for images in train[torch.randperm(len(train))].split(64):
            optimizer.zero_grad()
            bound(net, images).backward()
            optimizer.step()
        with torch.no_grad():
            loss = bound(net, validation).item()
        trial.report(loss, epoch)
    torch.save(net.state_dict(), f"vae-{trial.number}.pt")
    return loss


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="vae",
        storage="sqlite:///vae.db",
        load_if_exists=True,
        sampler=optuna.samplers.GPSampler(seed=0),
    )
    study.optimize(objective, n_trials=10 - len(study.trials))
    print(study.best_params, study.best_value)
