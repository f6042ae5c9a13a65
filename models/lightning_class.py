"""Which classes are Lightning's, found without importing it."""

from __future__ import annotations

from typing import Any

PACKAGES = ("lightning", "pytorch_lightning")


def lightning_package(found: Any, kind: str = "LightningModule") -> str | None:
    """The package of Lightning that a class is derived from.

    Args:
        found: Class, or anything else.
        kind: Name of Lightning's class.

    Returns:
        `lightning.pytorch` or `pytorch_lightning`; None where it is not derived from that class.
    """
    for parent in found.__mro__[1:] if isinstance(found, type) else ():
        package = parent.__module__.partition(".")[0]
        if parent.__name__ == kind and package in PACKAGES:
            return "lightning.pytorch" if package == "lightning" else package
    return None
