"""Images in files as arrays of one size."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

ENDINGS = frozenset(
    (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
)
# Of the numbers that a network sees, 4 bytes each.
MOST_BYTES = 2 * 2**30
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L")
DEEP = ("I", "I;16", "I;16B", "I;16L")
DAMAGED = (
    *(OSError, SyntaxError, ValueError),
    *(Image.DecompressionBombWarning, Image.DecompressionBombError),
)
WITH_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def is_image(path: Path) -> bool:
    """Whether a file is called like an image."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".")


def read_images(
    paths: Sequence[Path], size: tuple[int, int] | None, colour: bool | None
) -> NDArray[np.uint8]:
    """Images [rows, height, width], in colour [rows, height, width, 3].

    An image that has another size is scaled until it covers the wanted one, its sides in
    proportion, and cut in the middle. It is turned as its EXIF data say; what is transparent is
    laid on white; of 16 bits the upper 8 are kept; of several frames the first one.

    Args:
        paths: Paths of the files; at least one.
        size: Height and width; None takes those of the first one, which all must have.
        colour: True for three colours, False for grey; None is grey if all images are.

    Raises:
        ValueError: A file is damaged, images differ in size, or they need too much memory.
    """
    if colour is None:
        colour = not all(_is_grey(path) for path in paths)
    wanted = size or _size(paths[0])
    height, width = wanted
    count = len(paths) * height * width * (3 if colour else 1) * np.dtype(np.float32).itemsize
    if count > MOST_BYTES:
        raise ValueError(
            f"images in memory must take at most {MOST_BYTES / 2**30:g} GiB, got {len(paths):,} of "
            f"{height} x {width} pixels, which take {count / 2**30:.1f} GiB; lower size, or read "
            "them batch by batch with a function of your own"
        )
    shape = (len(paths), height, width, *((3,) if colour else ()))
    found = np.empty(shape, dtype=np.uint8)
    for row, path in enumerate(paths):
        image = _as_wanted(path, colour)
        if image.size != (width, height):
            if size is None:
                raise ValueError(
                    f"images must have one size where none is given, got {image.height} x "
                    f"{image.width} in {path} and {height} x {width} in {paths[0]}; give size"
                )
            image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
        found[row] = np.asarray(image)
    return found


def _opened(path: Path) -> Image.Image:
    """An image, all of it read.

    Raises:
        ValueError: It cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
            image.load()
            return image
    except DAMAGED as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ValueError:
    reason = " ".join(str(error).split())
    return ValueError(f"{path} must be a whole image, got: {reason}; replace or remove it")


def _is_grey(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return image.mode in GREY
    except DAMAGED as error:
        raise _unreadable(path, error) from None


def _size(path: Path) -> tuple[int, int]:
    image = ImageOps.exif_transpose(_opened(path))
    return image.height, image.width


def _as_wanted(path: Path, colour: bool) -> Image.Image:
    """An image in 8 bits, grey or with three colours."""
    image = ImageOps.exif_transpose(_opened(path))
    if image.mode in DEEP:
        deep = np.asarray(image).astype(np.int64)
        image = Image.fromarray((deep.clip(0, 65535) >> 8).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError(
            f"{path} must have 8 or 16 bits for each colour, got floats; convert it, or read it "
            "with a function of your own"
        )
    if image.mode in WITH_ALPHA or "transparency" in image.info:
        laid = image.convert("RGBA")
        white = Image.new("RGBA", laid.size, "white")
        image = Image.alpha_composite(white, laid)
    return image.convert("RGB" if colour else "L")
