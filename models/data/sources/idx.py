"""The IDX format of MNIST: a magic number, dimensions, then values, all big-endian.

Source: http://yann.lecun.com/exdb/mnist/ (section "The IDX file format").
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, StrictStr, model_validator

from nettuner.models.data.contents import read
from nettuner.models.data.source import Source

if TYPE_CHECKING:
    from nettuner.models.data.dataset import Dataset
    from nettuner.models.data.images import Images

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


class Idx(Source):
    """Images and labels in the IDX format of MNIST and Fashion-MNIST, gzipped or not."""

    paths: ClassVar[tuple[str, ...]] = (
        *("images", "labels"),
        *("validation_images", "validation_labels"),
        *("test_images", "test_labels"),
    )
    apart: ClassVar[Mapping[str, str]] = {"validation": "validation_images", "test": "test_images"}

    source: Literal["idx"] = "idx"
    images: StrictStr = Field(description="The images file, relative to the study's folder.")
    labels: StrictStr = Field(description="The labels file.")
    validation_images: StrictStr | None = Field(
        None, description="Published validation images, used instead of a share of `images`."
    )
    validation_labels: StrictStr | None = Field(
        None, description="The labels of `validation_images`."
    )
    test_images: StrictStr | None = Field(
        None, description="Published test images, used instead of a share of `images`."
    )
    test_labels: StrictStr | None = Field(None, description="The labels of `test_images`.")

    @model_validator(mode="after")
    def _published_files_come_in_pairs(self) -> Idx:
        for split in ("validation", "test"):
            names = f"{split}_images", f"{split}_labels"
            images, labels = (getattr(self, name) for name in names)
            if (images is None) != (labels is None):
                raise ValueError(
                    f"{names[0]} and {names[1]} go together, got {names[0]}={images!r} "
                    f"and {names[1]}={labels!r}; give both or neither"
                )
        return self

    @classmethod
    def at_place(cls, place: Path) -> dict[str, Any] | None:
        """Files with MNIST's names: a folder of them, or the one with the training images."""
        found = sorted(place.glob("*images-idx3-ubyte*")) if place.is_dir() else [place]
        pairs = {file: labels for file in found if (labels := _labels_beside(file))}
        of_test = [file for file in pairs if file.name.startswith(("t10k", "test"))]
        to_train = [file for file in pairs if file not in of_test] or of_test
        if not to_train:
            return None
        fields = {"images": str(to_train[0]), "labels": str(pairs[to_train[0]])}
        if of_test and of_test[0] != to_train[0]:
            test = of_test[0]
            fields |= {"test_images": str(test), "test_labels": str(pairs[test])}
        return fields

    def load(self) -> Dataset:
        """Images and their labels.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: A file is not in the format, or images and labels do not match.
        """
        from nettuner.models.data.images import image_dataset

        given = read_labelled(self.images, self.labels)
        scale = 255.0 if given[0].dtype == np.uint8 else None
        return image_dataset(
            given,
            self,
            scale,
            validation=_published(self.validation_images, self.validation_labels),
            test=_published(self.test_images, self.test_labels),
        )


def _labels_beside(images: Path) -> Path | None:
    """The labels of a file of images that is called as MNIST's are; None where it is not."""
    if "images-idx3" not in images.name:
        return None
    labels = images.with_name(images.name.replace("images-idx3", "labels-idx1"))
    return labels if labels.is_file() else None


def _published(images: str | None, labels: str | None) -> Images | None:
    return None if images is None or labels is None else read_labelled(images, labels)


def read_labelled(images: str, labels: str) -> Images:
    """Images [rows, height, width] and their labels [rows].

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A file is not in the format, or the counts differ.
    """
    pixels = _with_axes(images, "images", ("count", "height", "width"))
    numbers = _with_axes(labels, "labels", ("count",))
    if len(pixels) != len(numbers):
        raise ValueError(
            f"every image needs one label, got {len(pixels)} images in {images} and "
            f"{len(numbers)} labels in {labels}; pair the files that belong together"
        )
    return pixels, numbers


def _with_axes(path: str, kind: str, axes: tuple[str, ...]) -> NDArray[Any]:
    array = parse(read(path), path)
    if array.ndim != len(axes):
        raise ValueError(
            f"{kind} need {len(axes)} dimensions ({', '.join(axes)}), got {array.ndim} in {path}; "
            "check that images and labels are not swapped"
        )
    if array.size == 0:
        raise ValueError(f"{kind} must not be empty, got shape {list(array.shape)} in {path}")
    return array


def parse(content: bytes, path: str) -> NDArray[Any]:
    """The array in an IDX file's content, in this machine's byte order.

    Args:
        content: Unpacked.
        path: Named in errors.

    Raises:
        ValueError: The magic number is wrong, or the length does not fit the dimensions.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES:
        raise ValueError(
            f"an IDX file starts with the bytes 00 00, a type (08 to 0e) and the number of "
            f"dimensions, got {content[:4].hex(' ') or 'nothing'} in {path}; is it another format?"
        )
    dimensions, start = content[3], 4 + 4 * content[3]
    dtype = np.dtype(TYPES[content[2]])
    shape = struct.unpack(f">{dimensions}I", content[4:start].ljust(start - 4, b"\0"))
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(
            f"an IDX file of shape {list(shape)} has {expected} bytes, got {len(content)} in "
            f"{path}; download it again"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))
