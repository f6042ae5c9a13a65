"""How long the same project is with nettuner and with Optuna, in lines that do something.

Run: make bench-lines

The ports are the studies in deploy/studies that have a script of the same name in lines/ beside
this file: the same networks, data, loops and spaces, searched by Optuna's Gaussian process (one at
random, as its study is), with a database to go on from after an interruption. The scripts save
weights and record what Optuna itself does (Lightning's and Transformers' only the last metric), but
in no MLflow; they know no population, and an interrupted trial is counted, but lost.

Blank lines, comments and docstrings are not counted. All are formatted by the same formatter.

Prints its table, and exits with status 1 if a study with its code is longer than its counterpart.
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from pathlib import Path

HERE = Path(__file__).parent
STUDIES = HERE.parents[1] / "deploy" / "studies"
SCRIPTS = HERE / "lines"
NOT_CODE = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


def ports() -> list[str]:
    """Names of the studies that have a counterpart."""
    return sorted(path.stem for path in SCRIPTS.glob("*.py"))


def lines_of_code(source: str) -> int:
    """Lines of a Python file with any token that is neither comment nor docstring."""
    docstrings = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code = {
        line
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type not in NOT_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(code - docstrings)


def lines_of_yaml(text: str) -> int:
    """Lines of a YAML file that are neither blank nor comments."""
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in text.split("\n"))


def lines_with_nettuner(port: str) -> int:
    """Lines of a study and of its code."""
    study, code = (STUDIES / f"{port}{suffix}" for suffix in (".yaml", ".py"))
    return lines_of_yaml(study.read_text(encoding="utf-8")) + lines_of_code(
        code.read_text(encoding="utf-8")
    )


def lines_with_optuna(port: str) -> int:
    """Lines of its counterpart."""
    return lines_of_code((SCRIPTS / f"{port}.py").read_text(encoding="utf-8"))


def main() -> int:
    """Count, print, judge."""
    print(f"{'port':<12}{'nettuner':>10}{'Optuna':>10}")
    rows = [(port, lines_with_nettuner(port), lines_with_optuna(port)) for port in ports()]
    for port, ours, theirs in rows:
        print(f"{port:<12}{ours:>10}{theirs:>10}{'  LONGER' if ours > theirs else ''}")
    print(f"{'all':<12}{sum(row[1] for row in rows):>10}{sum(row[2] for row in rows):>10}")
    return int(any(ours > theirs for _, ours, theirs in rows))


if __name__ == "__main__":
    sys.exit(main())
