"""Messages of bounded length: what they quote of a file may be long, or meant for nobody."""

from __future__ import annotations

import re

# Longest value that a message shows, and the longest word of a value that it does not quote.
LONGEST = 100
LONGEST_WORD = 300
LONGEST_LINE = 2000

_QUOTED = re.compile(r"""(?<!\w)(?P<mark>['"])(?P<value>(?:\\.|(?!(?P=mark)).)*)(?P=mark)(?!\w)""")
_WORD = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")


def brief(message: str) -> str:
    """The message with its long values cut in the middle, each line on its own."""
    return "\n".join(_line(line) for line in message.splitlines())


def _line(line: str) -> str:
    shown = _QUOTED.sub(lambda found: found["mark"] + cut(found["value"]) + found["mark"], line)
    shown = _WORD.sub(lambda found: cut(found[0], LONGEST_WORD), shown)
    return cut(shown, LONGEST_LINE)


def cut(value: str, most: int = LONGEST) -> str:
    """A text of at most so many characters: its beginning and its end."""
    if len(value) <= most:
        return value
    end = (most - 3) // 4
    return f"{value[: most - 3 - end]}...{value[-end:]}"
