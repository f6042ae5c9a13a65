"""Every command that the README and the pages name exists, with the options that it is given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from nettuner.flows.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = typer.main.get_command(app)
# In code spans and in blocks of a shell, up to what is said of it or done with its output.
NAMED = re.compile(r"(?:^|`|=\S+ |bin/)nettuner ((?:[a-z-]+)(?: [^`\n#|>&]*)?)", re.MULTILINE)


def commands(page):
    """What follows `nettuner`, of a line that goes on in the next one the whole."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    return NAMED.findall(text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_names_commands_that_exist(page):
    for line in commands(page):
        name, *words = line.strip().rstrip(",.;").split()
        assert name in COMMANDS.commands, f"{page.name}: nettuner {line}"
        parameters = COMMANDS.commands[name].params
        known = {option for parameter in parameters for option in parameter.opts}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given - {"--help"} <= known, f"{page.name}: nettuner {line}"


def test_the_readme_names_most_commands():
    named = {line.split()[0] for page in PAGES for line in commands(page)}
    assert named >= {"check", "search", "trials", "compare", "ui", "status", "down", "promote"}
