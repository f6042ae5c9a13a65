"""The examples people start from: each makes sense, and the README shows them as they are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nettuner.models.study_file import load
from nettuner.tasks.plan import make_plan
from nettuner.tasks.schema import study_schema

ROOT = Path(__file__).parents[2]
STUDIES = sorted((ROOT / "deploy/studies").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_example_study_makes_sense(path):
    assert make_plan(load(path), path.name).trials


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_example_study_names_the_schema_for_editors(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=study.schema.json"


def test_the_schema_beside_the_examples_is_the_one_the_command_writes():
    written = json.loads((ROOT / "deploy/studies/study.schema.json").read_text(encoding="utf-8"))
    assert written == study_schema(), "renew it with `make schema`"


def code_blocks(language):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_the_readme_shows_the_example_network_and_its_study_as_they_are():
    network = (ROOT / "deploy/studies/own_net.py").read_text(encoding="utf-8")
    study = (ROOT / "deploy/studies/own_net.yaml").read_text(encoding="utf-8")
    assert any(network.endswith(block) for block in code_blocks("python"))
    assert any(study.endswith(block) for block in code_blocks("yaml"))


def test_the_readme_edits_a_plain_script_into_the_example_loop(capsys):
    (block,) = code_blocks("diff")
    lines = block.splitlines(keepends=True)
    plain, tuned = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
    example = (ROOT / "deploy/studies/own_loop.py").read_text(encoding="utf-8")
    before, found, _ = example.partition(tuned)
    assert found
    script: dict[str, Any] = {}
    exec(before + plain.replace("range(20)", "range(2)"), script)
    script["train"]()
    losses = [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]
    assert 2.4 > losses[0] > losses[1] > 0


# In two parts each, so that this file does not name them itself.
WORDS = ["pypi" + ".org", "python" + "hosted", "registry." + "npm", "/work" + "/", "/root" + "/"]
KINDS = {".py", ".md", ".txt", ".yaml", ".toml"}


@pytest.mark.parametrize("word", WORDS)
def test_no_file_names_a_registry_or_a_path_of_one_machine(word):
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if path.is_file() and not hidden and path.suffix in KINDS:
            found += [path] if word in path.read_text(encoding="utf-8") else []
    assert found == []
