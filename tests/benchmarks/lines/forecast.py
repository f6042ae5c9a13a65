"""The same as deploy/studies/forecast.yaml, with Optuna."""

import numpy as np
import optuna
import torch
from torch import nn
from torch.nn import functional


def make(length=2000, window=48):
    """Windows of a series with a trend, two seasons and noise, and the value after each."""
    time = np.arange(length)
    noise = np.random.default_rng(0).normal(size=length)
    series = time / length + np.sin(time / 4) + 0.5 * np.sin(time / 37) + 0.1 * noise
    windows = np.lib.stride_tricks.sliding_window_view(series, window + 1).astype(np.float32)
    inputs, targets = torch.tensor(windows[:, :-1, None]), torch.tensor(windows[:, -1])
    first, second = int(0.7 * len(targets)), int(0.85 * len(targets))
    return (
        (inputs[:first], targets[:first]),
        (inputs[first + window : second], targets[first + window : second]),
        (inputs[second + window :], targets[second + window :]),
    )


class Recurrent(nn.Module):
    """A GRU, and a linear layer on its last state."""

    def __init__(self, features, hidden, layers):
        super().__init__()
        self.gru = nn.GRU(features, hidden, layers, batch_first=True)
        self.output = nn.Linear(hidden, 1)

    def forward(self, inputs):
        """Map [batch, window, features] to [batch, 1]."""
        return self.output(self.gru(inputs)[0][:, -1])


def error(net, part):
    """Root mean square error."""
    with torch.no_grad():
        return functional.mse_loss(net(part[0]).squeeze(1), part[1]).sqrt().item()


def objective(trial):
    """Validation error after eight epochs."""
    rate = trial.suggest_float("learning_rate", 1e-4, 3e-2, log=True)
    hidden = trial.suggest_int("hidden", 8, 64, log=True)
    layers = trial.suggest_categorical("layers", [1, 2])
    (inputs, targets), validation, test = make()
    torch.manual_seed(trial.number)
    net = Recurrent(1, hidden, layers)
    optimizer = torch.optim.Adam(net.parameters(), rate)
    for epoch in range(8):
        for rows in torch.randperm(len(targets)).split(64):
            optimizer.zero_grad()
            functional.mse_loss(net(inputs[rows]).squeeze(1), targets[rows]).backward()
            optimizer.step()
        trial.report(error(net, validation), epoch)
    trial.set_user_attr("test_rmse", error(net, test))
    torch.save(net.state_dict(), f"forecast-{trial.number}.pt")
    return error(net, validation)


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="forecast",
        storage="sqlite:///forecast.db",
        load_if_exists=True,
        sampler=optuna.samplers.GPSampler(seed=0),
    )
    study.optimize(objective, n_trials=12 - len(study.trials))
    print(study.best_params, study.best_value, study.best_trial.user_attrs)
