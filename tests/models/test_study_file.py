"""Study files: what is right becomes a study, what is wrong one line a fault."""

from __future__ import annotations

import pickle
import re
import time
from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nettuner.models.study_faults import explain, shown
from nettuner.models.study_file import StudyError, load

LINES = {
    "name": "name: digits",
    "learner": "learner: mlp",
    "metric": "metric: val_accuracy",
    "data": "data: digits",
    "epochs": "epochs: 3",
    "space": "space: {lr: 0.1}",
}
STUDY_KEYS = (
    "name, learner, data, space, metric, metrics, direction, epochs, steps, evaluate_every, seed, "
    "repeats, folds, strategy, width, device, devices, per_device, runner, deterministic, "
    "stack, threads, structural, score, patience_rounds, "
    "trial_seconds, stop, finals, finals_seeds"
)
SOURCES = "builtin, csv, idx, images, npz, numbers, own, parallel, parquet, sentences"
DISTRIBUTIONS = (
    "uniform, log-uniform, normal, log-normal, truncated-normal, scipy, integer, choice, fixed"
)
NAME_RULE = (
    "must be letters, digits, '.', '_' and '-', a letter or digit first, at most 100 of them"
)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Studies are written to and named from a folder of their own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(changed: str = "", without: str = "") -> Path:
    """A study whose key is given anew, in its last line (the sixth, or seventh if it is new)."""
    key = changed.partition(":")[0]
    kept = [line for name, line in LINES.items() if name not in (key, without)]
    path = Path("study.yaml")
    path.write_text("\n".join([*kept, changed, ""]))
    return path


def faults(path: Path) -> list[str]:
    with pytest.raises(StudyError) as caught:
        load(path)
    assert all("\n" not in line for line in caught.value.lines)
    return caught.value.lines


def dimension(text: str) -> str:
    return f"space: {{lr: {{{text}}}}}"


MALFORMED = [
    ("epochs: ten", "epochs: must be a whole number of at least 1, got 'ten'; give one such as 10"),
    ("epochs: 0", "epochs: must be a whole number of at least 1, got 0; give one such as 10"),
    ("epochs: 1.5", "epochs: must be a whole number of at least 1, got 1.5; give one such as 10"),
    ("epochs: '3'", "epochs: must be a whole number of at least 1, got '3'; drop the quotes: 3"),
    ("epochs: true", "epochs: must be a whole number of at least 1, got true; give one such as 10"),
    (
        "epoch: 5",
        f"epoch: unknown key, got epoch: 5; did you mean 'epochs'? known keys: {STUDY_KEYS}",
    ),
    (
        "colour: [red, blue]",
        f"colour: unknown key, got colour: ['red', 'blue']; known keys: {STUDY_KEYS}",
    ),
    ("name: two words", f"name: {NAME_RULE}, got 'two words'; rename it, for example two-words"),
    ("name: 3", f'name: {NAME_RULE}, got 3; put it in quotes: "3"'),
    ("name: 2020-01-31", f'name: {NAME_RULE}, got 2020-01-31; put it in quotes: "2020-01-31"'),
    ("metric:", "metric: must be text, got nothing; write a word"),
    ("metric: [a]", "metric: must be text, got ['a']; write a word"),
    ("direction: up", "direction: must be one of minimize, maximize, got 'up'; choose one of them"),
    (
        "direction: minimise",
        "direction: must be one of minimize, maximize, got 'minimise'; did you mean 'minimize'?",
    ),
    (
        "seed: -1",
        "seed: must be a whole number of at least 0 and below 4294967296, got -1; "
        "give one such as 0",
    ),
    (
        "trial_seconds: 0",
        "trial_seconds: must be a number above 0, got 0; give one such as 1",
    ),
    (
        "steps: 10",
        "epochs: give epochs or steps, not both, got epochs=3 and steps=10; drop one",
    ),
    (
        "evaluate_every: 2",
        "evaluate_every: goes with steps, got evaluate_every=2 without steps; "
        "drop it or give steps",
    ),
    (
        "device: gpu",
        "device: must be auto, cpu, cuda, cuda with a number (cuda:1) or mps, got 'gpu'; give one "
        "of them",
    ),
    (
        "devices: 0",
        "devices: must be a list of at least 1 value, got 0; write a list such as [1, 2]",
    ),
    (
        "devices: [0, -1]",
        "devices[1]: must be a whole number of at least 0, got -1; give one such as 10",
    ),
    (
        "per_device: 0",
        "per_device: must be a whole number of at least 1, got 0; give one such as 1",
    ),
    (
        "deterministic: 1",
        "deterministic: must be true or false, got 1; write true or false",
    ),
    (
        "stop: {trial: 3}",
        "stop.trial: unknown key, got trial: 3; did you mean 'trials'? "
        "known keys: trials, seconds, target, patience, failures",
    ),
    (
        "stop: 3",
        "stop: must be a mapping of keys to values, got 3; "
        "indent its keys below it: trials, seconds, target, patience, failures",
    ),
    (
        "stop: {target: .inf}",
        "stop.target: must be a finite number, got inf; give one below 1e308",
    ),
    (
        "strategy: 3",
        "strategy: must be a mapping of keys to values or the name of a strategy, got 3; "
        "indent its keys below it: name",
    ),
    (
        "strategy: {size: 3}",
        "strategy.name: must be given, got nothing; add it: the strategy: a file of "
        "tasks/strategies",
    ),
    (
        "data: digit",
        "data: must be one of digits, breast_cancer, wine, diabetes, iris, numbers, got 'digit'; "
        "did you mean 'digits'?",
    ),
    (
        "data: 3",
        "data: must be a mapping with the key 'source' or the name of a built-in data set, got 3; "
        f"write source: builtin, or one of {SOURCES[9:]}",
    ),
    (
        "data: {path: x.csv}",
        f"data.source: must be given, got {{'path': 'x.csv'}}; add one of {SOURCES}",
    ),
    (
        "data: {source: cvs, path: x.csv}",
        f"data.source: must be one of {SOURCES}, got 'cvs'; did you mean 'csv'?",
    ),
    (
        "data: {source: csv}",
        "data.path: must be given, got nothing; "
        "add it: the file, relative to the study's folder; may be gzipped",
    ),
    (
        "data: {source: csv, path: x.csv, targt: 3}",
        "data.targt: unknown key, got targt: 3; did you mean 'target'? known keys: "
        "validation, test, split_seed, validation_path, test_path, split_by, split_by_time, "
        "missing, source, path, target, header, separator, decimal, thousands, encoding, task, "
        "drop",
    ),
    (
        "data: {source: csv, path: x.csv, target: [1]}",
        "data.target: must be text, a whole number or a list of at least 2 values, got [1]; "
        "give one such as -1",
    ),
    (
        "data: {source: csv, path: x.csv, header: yes}",
        "data.header: must be true or false, got 'yes'; write true or false",
    ),
    (
        "data: {source: builtin, name: digits, validation: 1.5}",
        "data.validation: must be a number above 0 and below 1, got 1.5; give one such as 0.2",
    ),
    (
        "space: [lr]",
        "space: must be a mapping of keys to values, got ['lr']; indent its keys below it",
    ),
    (
        "space: {1: 2}",
        'space[1]: names must be text, got 1; put it in quotes: "1"',
    ),
    (
        "space: {learning rate: 2}",
        "space: a hyperparameter's name must be at most 100 letters, digits, '_', '-' and '.', "
        "not beginning with '.', got 'learning rate'; rename it",
    ),
    (
        "space: {lr: }",
        "space.lr: must be a mapping with the key 'distribution' or a list of values or a single "
        f"value, got nothing; write distribution: uniform, or one of {DISTRIBUTIONS[9:]}",
    ),
    (
        "space: {lr: []}",
        "space.lr: must be a list of at least 1 value, got []; write a list such as [1, 2]",
    ),
    ("space: {lr: [1, 1]}", "space.lr: a choice needs distinct values, got 1 twice; drop one"),
    (
        "space: {lr: [1, null]}",
        "space.lr[1]: must be true or false, a number or text, got nothing; give one such as 1",
    ),
    (
        dimension("low: 0, high: 1"),
        "space.lr.distribution: must be given, got {'high': 1, 'low': 0}; "
        f"add one of {DISTRIBUTIONS}",
    ),
    (
        dimension("distribution: loguniform, low: 1, high: 2"),
        f"space.lr.distribution: must be one of {DISTRIBUTIONS}, got 'loguniform'; "
        "did you mean 'log-uniform'?",
    ),
    (
        dimension("distribution: log-uniform, low: 0, high: 1"),
        "space.lr: a log scale needs low > 0, got low=0; raise low or use uniform",
    ),
    (
        dimension("distribution: uniform, low: 3, high: 2"),
        "space.lr: uniform needs low < high, got low=3, high=2; swap them",
    ),
    (
        dimension("distribution: uniform, low: 1"),
        "space.lr.high: must be given, got nothing; add it: the largest value",
    ),
    (
        dimension("distribution: uniform, low: '1e-4', high: 1"),
        "space.lr.low: must be a number, got '1e-4'; drop the quotes: 1e-4",
    ),
    (
        dimension("distribution: uniform, low: .nan, high: 1"),
        "space.lr.low: must be a finite number, got nan; give one below 1e308",
    ),
    (
        dimension("distribution: uniform, low: true, high: 1"),
        "space.lr.low: must be a number, got true; give one such as 1",
    ),
    (
        dimension("distribution: uniform, low: 0, high: 1, log: true"),
        "space.lr.log: unknown key, got log: true; did you mean 'low'? "
        "known keys: low, high, when, distribution",
    ),
    (
        dimension("distribution: log-normal, median: 1, factor: 1"),
        "space.lr.factor: must be a number above 1, got 1; give one such as 2",
    ),
    (
        dimension("distribution: choice, values: [1, 2], weights: [1, 0]"),
        "space.lr.weights[1]: must be a number above 0, got 0; give one such as 1",
    ),
    (
        dimension("distribution: choice, values: 3"),
        "space.lr.values: must be a list of at least 1 value, got 3; write a list such as [1, 2]",
    ),
    (
        dimension("distribution: fixed, value: [1]"),
        "space.lr.value: must be true or false, a number or text, got [1]; give one such as 1",
    ),
    (
        dimension("distribution: integer, low: 1.5, high: 3"),
        "space.lr.low: must be a whole number, got 1.5; give one such as 10",
    ),
    (
        dimension("distribution: scipy, name: beta, args: {a: 1}"),
        "space.lr: scipy.stats.beta takes args a, b, loc, scale, got a=1; add b",
    ),
    (
        dimension("distribution: uniform, low: 0, high: 1, when: {x: 1}"),
        "space.lr: when must name another dimension, got 'x'; the space has: lr",
    ),
    (
        dimension("distribution: uniform, low: 0, high: 1, when: {x: [null]}"),
        "space.lr.when.x[0]: must be true or false, a number or text, got nothing; "
        "give one such as 1",
    ),
    (
        "learner: net.py",
        "learner: must say what of a file, got 'net.py'; add it: net.py:Name",
    ),
    ("3: 4", "[3]: keys must be text, got 3; put it in quotes"),
]


@pytest.mark.parametrize(("changed", "message"), MALFORMED)
def test_a_malformed_study_gives_one_line_with_rule_value_and_way_out(changed, message):
    path = write(changed)
    key = changed.partition(":")[0]
    line = {"steps": 5}.get(key, 6 if key in LINES else 7)
    assert faults(path) == [f"study.yaml:{line}: {message}"]


@pytest.mark.parametrize("key", ["name", "learner", "metric", "space"])
def test_what_a_study_needs_must_be_there(key):
    lines = faults(write(without=key))
    assert len(lines) == 1
    assert lines[0].startswith(f"study.yaml: {key}: must be given, got nothing; add it: ")


NO_YAML = [
    ("epochs: 1\nepochs: 2\n", "study.yaml:2: epochs: must be given once, got it twice; drop one"),
    (
        "space: {a: 1,\n  a: 2}",
        "study.yaml:2: a: must be given once, got it twice; drop one",
    ),
    (
        "name: a\nspace: b: c",
        "study.yaml:2: must be valid YAML, got 'space: b: c'; mapping values are not allowed here",
    ),
    (
        "a: [1",
        "study.yaml:1: must be valid YAML, got 'a: [1'; "
        "expected ',' or ']', but got '<stream end>'",
    ),
    (
        "a: *nope",
        "study.yaml:1: must be valid YAML, got 'a: *nope'; found undefined alias 'nope'",
    ),
    ("a: 1\n---\nb: 2", "study.yaml:2: must be valid YAML, got '---'; but found another document"),
    (
        "a: !!python/name:os.system",
        "study.yaml:1: must be valid YAML, got 'a: !!python/name:os.system'; "
        "could not determine a constructor for the tag 'tag:yaml.org,2002:python/name:os.system'",
    ),
    (
        "a: 2020-13-45",
        "study.yaml: must be valid YAML, got: month must be in 1..12; quote or correct it",
    ),
    (
        "- " * 3000,
        "study.yaml: must be valid YAML, got: maximum recursion depth exceeded; "
        "quote or correct it",
    ),
    *(
        (
            text,
            f"study.yaml: the study: must be a mapping of keys to values, got {got}; "
            f"indent its keys below it: {STUDY_KEYS}",
        )
        for text, got in [("", "nothing"), ("- 1", "[1]"), ("just text", "'just text'")]
    ),
]


@pytest.mark.parametrize(("text", "line"), NO_YAML)
def test_what_is_no_yaml_mapping_gives_one_line(text, line):
    Path("study.yaml").write_text(text)
    found = faults(Path("study.yaml"))
    assert len(found) == 1
    assert found[0].startswith(line.partition("; quote or")[0])


def test_all_faults_come_at_once_in_the_order_of_the_keys():
    path = write("epochs: ten")
    path.write_text(path.read_text().replace("val_accuracy", "7") + "width: 0\n")
    assert [line.split(": ")[:2] for line in faults(path)] == [
        ["study.yaml:3", "metric"],
        ["study.yaml:6", "epochs"],
        ["study.yaml:7", "width"],
    ]


def test_of_thousands_of_faults_the_first_fifty_or_so_are_said():
    lines = faults(write(f"space: {{lr: [{', '.join(['null'] * 3000)}]}}"))
    assert lines[0].startswith("study.yaml:6: space.lr[0]: must be ")
    assert lines[50].startswith("study.yaml:6: space.lr[50]: must be ")
    rule = "must be free of faults, got more than 50; correct these first"
    assert lines[51:] == [f"study.yaml: the study: {rule}"]


@pytest.mark.parametrize("deep", ["[" * 20_000, "[" * 20_000 + "]" * 20_000, "[1, " * 20_000])
def test_a_hundred_brackets_in_brackets_are_enough(deep):
    path = write(f"space: {{lr: {deep}}}")
    start = time.process_time()
    rule = "must nest at most 100 brackets, got more; close or drop some"
    assert faults(path) == [f"study.yaml:6: {rule}"]
    assert time.process_time() - start < 2  # it takes milliseconds


def test_brackets_in_texts_and_comments_do_not_nest():
    path = write(f"learner: 'own{'[' * 200}.Net'  # don't {'{' * 200}\n# {'[' * 200}")
    path.write_text(path.read_text() + f"# it's \"[\n# {'[' * 200}\n")
    assert load(path).learner == f"own{'[' * 200}.Net"


def test_twenty_thousand_values_are_read_in_time():
    path = write(f"space: {{lr: [{', '.join(str(k / 1e6) for k in range(1, 20_001))}]}}")
    start = time.process_time()
    lr = load(path).space["lr"]
    # It takes one and a half; to compare all pairs of values takes twelve.
    assert time.process_time() - start < 5
    assert [lr.from_unit(unit) for unit in (0.0, 0.5, 1.0)] == [1e-6, 0.010001, 0.02]


def test_a_fault_in_a_nested_block_has_its_own_line():
    path = write("space:\n  lr:\n    distribution: uniform\n    low: 0\n    high: one")
    assert faults(path) == [
        "study.yaml:10: space.lr.high: must be a number, got 'one'; give one such as 1"
    ]


def test_numbers_without_a_dot_are_numbers_and_yes_and_no_are_words():
    study = load(
        write("space: {lr: 1e-4, flag: [yes, no, on, off], real: [true, false], at: 12:30}")
    )
    params = {name: dimension.levels for name, dimension in study.space.items()}
    assert params == {
        "lr": (0.0001,),
        "flag": ("yes", "no", "on", "off"),
        "real": (True, False),
        "at": ("12:30",),
    }
    assert load(write("metric: off")).metric == "off"


def test_a_study_that_is_not_there_or_not_text_is_one_line(folder):
    assert faults(Path("gone.yaml")) == [
        "gone.yaml: must be a file, got no such file or directory; correct the path"
    ]
    assert faults(folder) == [f"{folder}: must be a file, got is a directory; correct the path"]
    Path("bytes.yaml").write_bytes(b"name: \xff\xfe")
    assert faults(Path("bytes.yaml")) == [
        "bytes.yaml: must be UTF-8 text, got byte 0xff at position 6; save it as UTF-8"
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    path = write()
    path.write_text("\ufeff" + path.read_text(), encoding="utf-8")
    assert load(path).name == "digits"


def test_paths_are_relative_to_the_study_and_become_absolute(folder, monkeypatch):
    (folder / "studies").mkdir()
    (folder / "data.csv").touch()
    (folder / "studies" / "net.py").touch()
    path = write("data: {source: csv, path: ../data.csv}", without="learner")
    path.write_text(path.read_text() + "learner: net.py:Net\nmetrics: [net.py:cost, macro_f1]\n")
    path = path.rename("studies/study.yaml")
    for cwd, given in [(folder, path), (folder / "studies", Path("study.yaml"))]:
        monkeypatch.chdir(cwd)
        study = load(given)
        assert study.data is not None
        assert study.data.path == str(folder / "data.csv")
        assert study.learner == f"{folder / 'studies' / 'net.py'}:Net"
        assert study.metrics == (f"{folder / 'studies' / 'net.py'}:cost", "macro_f1")


def test_the_file_of_a_metric_must_be_there(folder):
    found = faults(write("metrics: [macro_f1, gone.py:cost]"))
    assert len(found) == 1
    assert "metrics[1]: must be an existing file, got 'gone.py'" in found[0]


def test_absolute_paths_stay(folder):
    (folder / "data.parquet").touch()
    study = load(write(f"data: {{source: parquet, path: {folder / 'data.parquet'}}}"))
    assert study.data is not None
    assert study.data.path == str(folder / "data.parquet")


def test_all_files_of_an_idx_source_are_found(folder):
    for name in "abcd":
        (folder / name).touch()
    files = "{source: idx, images: a, labels: b, test_images: c, test_labels: d}"
    data = load(write(f"data: {files}")).data
    assert data is not None
    found = [getattr(data, key) for key in ("images", "labels", "test_images", "test_labels")]
    assert found == [str(folder / name) for name in "abcd"]


@pytest.mark.parametrize("learner", ["mlp", "package.module:Name"])
def test_a_learner_that_is_no_file_stays_as_it_is(learner):
    assert load(write(f"learner: {learner}")).learner == learner


def test_missing_files_are_faults_with_the_place_where_they_were_sought(folder):
    way_out = "correct the path, which is relative to the study's folder"
    path = write("data: {source: idx, images: a.gz, labels: b.gz}", without="learner")
    path.write_text(path.read_text() + "learner: own/net.py:Net\n")
    assert faults(path) == [
        f"study.yaml:{place}: must be an existing file, got {given!r} ({folder}/{given}); {way_out}"
        for place, given in [
            ("5: data.images", "a.gz"),
            ("5: data.labels", "b.gz"),
            ("6: learner", "own/net.py"),
        ]
    ]


def test_a_study_error_survives_pickling_and_shows_its_lines():
    error = StudyError(["a: b", "c: d"])
    again = pickle.loads(pickle.dumps(error))
    assert again.lines == ["a: b", "c: d"]
    assert str(again) == "a: b\nc: d"


class Settings(BaseModel):
    """Stands for a strategy."""

    model_config = ConfigDict(extra="forbid")

    seed: int = 0
    size: int = Field(16, ge=2)


def settings_faults(settings, **options):
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(settings, strict=True)
    document = {"strategy": settings}
    return explain(caught.value, "study.yaml", document, prefix=("strategy",), **options)


def test_settings_are_explained_below_their_prefix():
    assert settings_faults({"size": 1, "sized": 3}, model=Settings, hidden=("seed",)) == [
        "study.yaml: strategy.size: must be a whole number of at least 2, got 1; "
        "give one such as 16",
        "study.yaml: strategy.sized: unknown key, got sized: 3; did you mean 'size'? "
        "known keys: size",
    ]


def test_settings_of_an_unknown_model_are_explained_in_pydantics_words():
    assert settings_faults({"size": "x", "sized": 3}) == [
        "study.yaml: strategy.size: must be a valid integer, got 'x'; correct it",
        "study.yaml: strategy.sized: unknown key, got sized: 3; drop it",
    ]


def test_long_values_are_shortened_to_one_line():
    assert len(shown("long " * 1000)) < 70
    assert len(shown([["deep"] * 50] * 50)) < 400
    assert "\n" not in shown({"a": "b\nc"})
    assert shown(date(2020, 1, 31)) == "2020-01-31"
    assert not re.search("True|None", shown(True) + shown(None))
