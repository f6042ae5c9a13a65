"""Every link of the README and the pages leads somewhere: to a file, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(\s*([^)#:\s]*)(?:#([^)\s]+))?\s*\)")


def headings(page):
    """The headings of a page, as links name them: small letters, digits, `-` for blanks."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_links_to_what_exists(page):
    for name, heading in LINK.findall(page.read_text(encoding="utf-8")):
        there = page.parent / name if name else page
        assert there.exists(), f"{page.name}: {name}"
        assert not heading or heading in headings(there), f"{page.name}: {name}#{heading}"


def test_links_are_found():
    counts = {page.name: len(LINK.findall(page.read_text(encoding="utf-8"))) for page in PAGES}
    assert counts["README.md"] > 40
    assert counts["own_loop.md"] == 4
    assert counts["data.md"] == 2
