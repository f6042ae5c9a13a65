"""Cross-validation from the page on noise: interrupted, resumed, examined on its own test rows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nettuner.flows.commands.show import show_plan
from nettuner.flows.engine.search import Engine
from nettuner.models.study import Study
from nettuner.models.study_file import load
from nettuner.tasks.memory import recall
from nettuner.tasks.plan import make_plan

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[3] / "docs" / "noise.md"


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    """The study that the page shows."""
    (shown,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path_factory.mktemp("page") / "study.yaml"
    file.write_text(shown)
    return load(file).model_copy(update={"width": 1})


@pytest.fixture(scope="module")
def results(lab, study):
    """What came of it, after it was interrupted once two of its trials had ended; these two."""
    settle = Engine.settle

    def interrupted(engine, number):
        settle(engine, number)
        if len(engine.history) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "settle", interrupted)
        with pytest.raises(KeyboardInterrupt):
            lab.search(study)
    (past,) = lab.past("few-rows")
    return lab.search(study, resume=True), past.trials


def test_the_check_says_what_the_page_says(study, capsys):
    show_plan(make_plan(study))
    (line,) = re.findall(r"```\n(networks: .*)\n```", PAGE.read_text(encoding="utf-8"))
    assert line in capsys.readouterr().out


def test_every_trial_is_validated_on_each_fold(results):
    result, _ = results
    assert len(result.trials) == 4
    for trial in result.trials:
        assert len(set(trial.scores)) == 5
        assert trial.rounds == 15
        assert trial.score == pytest.approx(sum(trial.scores) / 5)


def test_a_resumed_search_knows_the_spread_of_what_had_ended(results):
    result, before = results
    assert len(before) == 2
    kept = {trial.number: trial for trial in result.trials}
    assert all(kept[trial.number] == trial for trial in before)
    assert all(trial.standard_error > 0 for trial in before)


def test_the_winner_is_examined_with_the_preprocessing_of_its_fold(results, lab):
    result, _ = results
    best = result.best
    assert len(best.scores) == 2  # of the finals, each the mean over five folds
    assert best.training in range(5)
    assert set(result.test) == {"test_loss", "test_accuracy"}
    (past,) = lab.past("few-rows")
    finals = recall.finals_of(lab.mlflow, past).trials
    assert len(finals) == 4
    chosen = next(t for t in finals if t.checkpoint == best.checkpoint)
    assert chosen.score == min(best.scores)
    assert chosen.training == best.training
    assert chosen.scores[chosen.training] == min(chosen.scores)
