"""A callback that makes the epochs of a `transformers.Trainer` rounds of a context.

    def train(hyperparameters, context):
        arguments = TrainingArguments(
            context.folder, num_train_epochs=context.length.rounds, eval_strategy="epoch", ...)
        Trainer(..., args=arguments, callbacks=[TransformersCallback(context)]).train()

Model, optimiser and schedule are kept; what the trainer itself counts and prints, steps and epochs,
begins at 0 again where a training is continued.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from transformers import TrainerCallback

from nettuner.models.training.context import Context
from nettuner.models.training.early_end import StoppedEarly


class TransformersCallback(TrainerCallback):
    """Makes epochs rounds: a training is continued, evaluated, and stopped where it is to pause.

    The metrics of a round are those of its evaluations (`eval_loss`), and what was logged in it.

    Args:
        context: Context of the trial.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rounds: Iterator[int] = iter(())
        self._found: dict[str, float] = {}
        self._has_begun = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Restore what was kept.

        Raises:
            ValueError: The trainer would train for another number of epochs than the study says.
        """
        whole = self._context.length.rounds
        if self._context.length.steps is not None or args.num_train_epochs != whole:
            raise ValueError(
                "a Trainer must train for as many epochs as the study says, got "
                f"num_train_epochs={args.num_train_epochs:g} and {whole} rounds; give epochs in "
                "the study, and num_train_epochs=context.length.rounds"
            )
        self._context.keep(
            model=parts["model"],
            optimiser=parts["optimizer"],
            schedule=parts["lr_scheduler"],
        )
        with suppress(AttributeError):  # the sampler adds the epoch, which is counted from 0 again
            parts["train_dataloader"].batch_sampler.sampler.initial_seed += self._context.round
        self._rounds = self._context.rounds()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Report the round before, and begin the next one."""
        if self._has_begun:
            self._report()
        if self._context.stopped is not None:
            raise StoppedEarly(self._context.stopped)
        self._found = {}  # of an evaluation before the first one (eval_on_start)
        self._has_begun = True
        next(self._rounds)

    def on_epoch_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Stop, once this epoch is evaluated, where the training is to pause."""
        control.should_training_stop = control.should_training_stop or self._context.is_last

    def on_log(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Gather what is logged, metrics of evaluations included."""
        self._gather(parts["logs"])

    def on_evaluate(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Gather the metrics of an evaluation, of which a round may have several."""
        self._gather(parts["metrics"])

    def on_train_end(self, args: Any, state: Any, control: Any, **parts: Any) -> None:
        """Report the last round, and save the state."""
        self._report()
        if self._context.is_last:
            next(self._rounds, None)
        else:  # it has stopped early by a rule of its own
            del self._rounds

    def _gather(self, given: Mapping[str, Any]) -> None:
        self._found |= {
            name: value
            for name, value in given.items()
            if isinstance(value, int | float) and name != "epoch"
        }

    def _report(self) -> None:
        found, self._found = self._found, {}
        if found:
            self._context.report(found)
