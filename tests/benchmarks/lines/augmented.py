"""The same as deploy/studies/augmented.yaml, with Optuna."""

import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset


class Digits(Dataset):
    """Images of 8 x 8 pixels; those to train on are shifted by up to `shift` pixels."""

    def __init__(self, images, labels, shift=0):
        self.images, self.labels, self.shift = images, labels, shift

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        image = self.images[row]
        if self.shift:
            by = torch.randint(-self.shift, self.shift + 1, (2,)).tolist()
            image = torch.roll(image, by, dims=(1, 2))
        return image, self.labels[row]


def make(shift=1):
    """Training, validation and test data."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels, dtype=torch.float32).view(-1, 1, 8, 8) / 16
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    parts = [(images[rows], torch.tensor(labels)[rows]) for rows in order.split([1200, 300, 297])]
    return Digits(*parts[0], shift), Digits(*parts[1]), Digits(*parts[2])


def network(channels, dropout):
    """Two convolutions."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(8 * channels, 10),
    )


def accuracy(net, part):
    """Share of images that are classified rightly."""
    net.eval()
    with torch.no_grad():
        hits = [(net(images).argmax(1) == labels) for images, labels in DataLoader(part, 256)]
    return torch.cat(hits).double().mean().item()


def objective(trial):
    """Validation accuracy after ten epochs."""
    rate = trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True)
    channels = trial.suggest_categorical("channels", [8, 16, 32])
    dropout = trial.suggest_float("dropout", 0.0, 0.5)
    size = trial.suggest_categorical("batch_size", [32, 64])
    train, validation, test = make()
    torch.manual_seed(trial.number)
    net = network(channels, dropout)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    loader = DataLoader(train, size, shuffle=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10 * len(loader))
    for epoch in range(10):
        net.train()
        for images, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(net(images), labels).backward()
            optimizer.step()
            schedule.step()
        trial.report(accuracy(net, validation), epoch)
    trial.set_user_attr("test_accuracy", accuracy(net, test))
    torch.save(net.state_dict(), f"augmented-{trial.number}.pt")
    return accuracy(net, validation)


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="augmented",
        storage="sqlite:///augmented.db",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.GPSampler(seed=0),
    )
    study.optimize(objective, n_trials=16 - len(study.trials))
    print(study.best_params, study.best_value, study.best_trial.user_attrs)
