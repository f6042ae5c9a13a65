"""The same as deploy/studies/trainer.yaml, with Optuna."""

import optuna
import torch
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    Trainer,
    TrainingArguments,
)


def sentences(count, seed):
    """Words, and whether the first and the last one agree: 0 or 1."""
    words = torch.randint(0, 8, (count, 6), generator=torch.Generator().manual_seed(seed))
    labels = (words[:, 0] % 2 == words[:, -1] % 2).long()
    return [{"input_ids": w, "labels": y} for w, y in zip(words, labels, strict=True)]


def objective(trial):
    """The loss on other sentences after eight epochs."""
    config = DistilBertConfig(vocab_size=8, dim=32, n_layers=2, n_heads=2, hidden_dim=64)
    arguments = TrainingArguments(
        f"trainer-{trial.number}",
        num_train_epochs=8,
        per_device_train_batch_size=32,
        learning_rate=trial.suggest_float("learning_rate", 1e-5, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 0.0, 0.3),
        warmup_steps=trial.suggest_categorical("warmup_steps", [0, 20, 50]),
        eval_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=trial.number,
    )
    torch.manual_seed(trial.number)
    trainer = Trainer(
        DistilBertForSequenceClassification(config),
        arguments,
        train_dataset=sentences(512, seed=0),
        eval_dataset=sentences(256, seed=1),
    )
    trainer.train()
    trainer.save_model()
    return trainer.evaluate()["eval_loss"]


if __name__ == "__main__":
    study = optuna.create_study(
        study_name="trainer",
        storage="sqlite:///trainer.db",
        load_if_exists=True,
        sampler=optuna.samplers.GPSampler(seed=0),
    )
    study.optimize(objective, n_trials=10 - len(study.trials))
    print(study.best_params, study.best_value)
