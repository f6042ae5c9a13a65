"""A folder of images for each class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, StrictStr

from nettuner.models.data.source import Count, Source
from nettuner.models.data.split_names import SPLIT_NAMES

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.images import Images as Labelled


class Images(Source):
    """Images in a folder for each class; folders train, val and test above these are the splits."""

    folders: ClassVar[tuple[str, ...]] = ("folder",)

    source: Literal["images"] = "images"
    folder: StrictStr = Field(
        description="The folder with a folder for each class, relative to the study's folder."
    )
    size: Count | tuple[Count, Count] | None = Field(
        None,
        description="Pixels of each side, or [height, width]: images are scaled to cover that and "
        "cut in the middle (default: as they are, all of one size).",
    )
    colour: Literal["grey", "rgb"] | None = Field(
        None, description="Whether they are read as grey or in colours (default: grey if all are)."
    )

    @classmethod
    def at_place(cls, place: Path) -> dict[str, Any] | None:
        """A folder with folders of images."""
        from nettuner.models.data.image_files import is_image

        is_one = place.is_dir() and any(
            is_image(file) for folder in _folders(place) for file in folder.rglob("*")
        )
        return {"folder": str(place)} if is_one else None

    @property
    def name(self) -> str:
        """The folder, as it is shown to people."""
        return self.folder

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of the images."""
        found = [path for paths in self._splits().values() for path, _ in paths]
        return tuple(map(str, found))

    def load(self) -> Dataset:
        """Images and the names of their folders as labels.

        Raises:
            FileNotFoundError: There is no such folder.
            ValueError: There are no images, one is damaged, or they differ in size.
        """
        import numpy as np

        from nettuner.models.data.image_files import read_images
        from nettuner.models.data.images import image_dataset

        splits = self._splits()
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        everything = [path for paths in splits.values() for path, _ in paths]
        pixels = read_images(
            everything,
            size,
            None if self.colour is None else self.colour == "rgb",
        )
        parts: dict[str, Labelled] = {}
        first = 0
        for name, paths in splits.items():
            labels = np.array([label for _, label in paths])
            parts[name] = pixels[first : first + len(paths)], labels
            first += len(paths)
        return image_dataset(
            parts["train"],
            self,
            255.0,
            validation=parts.get("validation"),
            test=parts.get("test"),
        )

    def _splits(self) -> dict[str, list[tuple[Path, str]]]:
        """The images of each split that has a folder, or all of them for training; with labels."""
        inside = _folders(Path(self.folder))
        named = {
            split: folder
            for folder in inside
            for split, names in SPLIT_NAMES.items()
            if folder.name.lower() in names
        }
        if "train" in named and len(named) == len(inside):
            order = [split for split in SPLIT_NAMES if split in named]
            return {split: _labelled(named[split], _folders(named[split])) for split in order}
        return {"train": _labelled(Path(self.folder), inside)}


def _folders(place: Path) -> list[Path]:
    if not place.is_dir():
        raise FileNotFoundError(f"no folder {place}; correct the path")
    return sorted(p for p in place.iterdir() if p.is_dir() and not p.name.startswith("."))


def _labelled(place: Path, classes: list[Path]) -> list[tuple[Path, str]]:
    from nettuner.models.data.image_files import is_image

    found = [
        (path, folder.name)
        for folder in classes
        for path in sorted(folder.rglob("*"))
        if path.is_file() and is_image(path)
    ]
    if not found:
        raise ValueError(
            f"{place} must have a folder of images for each class, got "
            f"{len(classes)} folders without images; correct the path"
        )
    return found
