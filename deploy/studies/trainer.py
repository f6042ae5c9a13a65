"""A Transformers Trainer: `nettuner search deploy/studies/trainer.yaml`."""

import torch
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    Trainer,
    TrainingArguments,
)

from nettuner import TransformersCallback


def sentences(count, seed):
    """Words, and whether the first and the last one agree: 0 or 1."""
    words = torch.randint(0, 8, (count, 6), generator=torch.Generator().manual_seed(seed))
    labels = (words[:, 0] % 2 == words[:, -1] % 2).long()
    return [{"input_ids": w, "labels": y} for w, y in zip(words, labels, strict=True)]


def train(hyperparameters, context):
    """A tiny model from its configuration; a pretrained one is fine-tuned alike."""
    config = DistilBertConfig(vocab_size=8, dim=32, n_layers=2, n_heads=2, hidden_dim=64)
    arguments = TrainingArguments(
        str(context.folder),
        num_train_epochs=context.length.rounds,
        per_device_train_batch_size=32,
        learning_rate=hyperparameters["learning_rate"],
        weight_decay=hyperparameters["weight_decay"],
        warmup_steps=hyperparameters["warmup_steps"],
        eval_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    Trainer(
        DistilBertForSequenceClassification(config),
        arguments,
        train_dataset=sentences(512, seed=0),
        eval_dataset=sentences(256, seed=1),
        callbacks=[TransformersCallback(context)],
    ).train()
