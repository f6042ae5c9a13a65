"""Executes docs/example.ipynb anew and keeps its outputs: `python tests/execute_notebook.py`.

Needs `pip install nbclient ipykernel playwright` beside nettuner, and a Chromium, which CHROMIUM
names if it is not playwright's own. A chart that scripts draw is kept as a picture, because pages
that show notebooks run no scripts.
"""

from __future__ import annotations

import base64
import os
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_output
from playwright.sync_api import sync_playwright

NOTEBOOK = Path(__file__).parents[1] / "docs" / "example.ipynb"
LOADED = "output_notebook(hide_banner=True)"
INTO_A_FILE = 'from bokeh.io import output_file; output_file("{}", mode="inline")'
PIXELS = {"width": 760, "height": 600}


def main() -> None:
    """Execute the notebook in a home of its own, with servers of its own."""
    book = nbformat.read(NOTEBOOK, as_version=4)
    kept = [cell.source for cell in book.cells]
    with tempfile.TemporaryDirectory() as folder:
        chart = Path(folder) / "chart.html"
        os.environ |= {"NETTUNER_HOME": f"{folder}/home", "NETTUNER_SERVERS": "none"}
        os.environ["BROWSER"] = "true"  # the program that does nothing: bokeh opens no page
        for cell in book.cells:
            cell.source = cell.source.replace(LOADED, INTO_A_FILE.format(chart))
        NotebookClient(book, timeout=600, resources={"metadata": {"path": folder}}).execute()
        for cell, source in zip(book.cells, kept, strict=True):
            if cell.source != source:
                cell.outputs = [_picture(chart)]
            cell.source = source
            cell.metadata = {}
    book.metadata.language_info = {"name": "python"}
    nbformat.write(book, NOTEBOOK)


def _picture(chart: Path) -> NotebookNode:
    """A page with one chart as an output of a cell."""
    with sync_playwright() as program:
        browser = program.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        page = browser.new_page(viewport=PIXELS)
        page.goto(chart.as_uri())
        shown = page.locator(".bk-Column").first
        shown.wait_for()
        page.wait_for_timeout(1000)  # it is drawn in several steps
        content = base64.b64encode(shown.screenshot()).decode()
        browser.close()
    return new_output("display_data", data={"image/png": content, "text/plain": "<a chart>"})


if __name__ == "__main__":
    main()
