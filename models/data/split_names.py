"""What people call the splits: as folders, as arrays in a file, in the answer of a function."""

from __future__ import annotations

from collections.abc import Mapping

SPLIT_NAMES: Mapping[str, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid", "dev"),
    "test": ("test", "testing"),
}
