"""Text that any store, terminal and browser can take."""

from __future__ import annotations

import re

# All but tabs and ends of lines; databases refuse some, and terminals obey others.
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def encodable(text: str) -> str:
    """Text with escapes for control characters and for what UTF-8 cannot encode."""
    encoded = text.encode(errors="backslashreplace").decode()
    return CONTROLS.sub(lambda found: repr(found.group())[1:-1], encoded)


def storable(text: str) -> bool:
    """Whether UTF-8 can encode it and it has no NUL, which ends text in many stores."""
    return "\x00" not in text and text.encode(errors="ignore").decode() == text
