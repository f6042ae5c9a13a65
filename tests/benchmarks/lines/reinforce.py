"""The same as deploy/studies/reinforce.yaml, with Optuna."""

import optuna
import torch
from torch import nn
from torch.distributions import Categorical


def step(state, action):
    """A cart with a pole on it (Barto, Sutton and Anderson 1983), 0.02 s later; one row a cart."""
    _, speed, angle, spin = state.unbind(1)
    swing = (20.0 * action - 10.0 + 0.05 * spin**2 * angle.sin()) / 1.1
    length = 0.5 * (4 / 3 - 0.1 * angle.cos() ** 2 / 1.1)
    turn = (9.8 * angle.sin() - angle.cos() * swing) / length
    push = swing - 0.05 * turn * angle.cos() / 1.1
    return state + 0.02 * torch.stack([speed, push, spin, turn], 1)


def play(policy, carts):
    """Log-probabilities and rewards [steps, carts]: 1 a step until a pole falls, for 200 steps."""
    state, up = 0.1 * torch.rand(carts, 4) - 0.05, torch.ones(carts)
    chosen, rewards = [], []
    while len(rewards) < 200 and up.any():
        choice = Categorical(logits=policy(state))
        action = choice.sample()
        chosen.append(choice.log_prob(action))
        rewards.append(up)
        state = step(state, action)
        up = up * (state[:, 0].abs() < 2.4) * (state[:, 2].abs() < 0.2)
    return torch.stack(chosen), torch.stack(rewards)


def loss_of(chosen, rewards, discount):
    """REINFORCE (Williams 1992), the mean over the carts as its baseline."""
    returns = [torch.zeros(rewards.shape[1])]
    for reward in rewards.flip(0):
        returns.append(reward + discount * returns[-1])
    gains = torch.stack(returns[:0:-1])
    gains = (gains - gains.mean(1, keepdim=True)) * rewards
    return -(chosen * gains).sum() / rewards.sum()


def objective(trial):
    """Steps that the pole stays up, after ten rounds of five games."""
    hidden = trial.suggest_int("hidden", 8, 64, log=True)
    rate = trial.suggest_float("learning_rate", 1e-3, 0.1, log=True)
    discount = trial.suggest_float("discount", 0.9, 1.0)
    torch.manual_seed(trial.number)
    policy = nn.Sequential(nn.Linear(4, hidden), nn.Tanh(), nn.Linear(hidden, 2))
    optimiser = torch.optim.Adam(policy.parameters(), lr=rate)
    for epoch in range(10):
        for _ in range(5):
            optimiser.zero_grad()
            loss_of(*play(policy, 32), discount).backward()
            optimiser.step()
        with torch.no_grad():
            upright = play(policy, 64)[1].sum(0).mean().item()
        trial.report(upright, epoch)
    torch.save(policy.state_dict(), f"reinforce-{trial.number}.pt")
    return upright


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="reinforce",
        storage="sqlite:///reinforce.db",
        load_if_exists=True,
        direction="maximize",
        sampler=optuna.samplers.GPSampler(seed=0),
    )
    study.optimize(objective, n_trials=20 - len(study.trials))
    print(study.best_params, study.best_value)
