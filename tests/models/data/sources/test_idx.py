import gzip
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from nettuner.models.data.load import load
from nettuner.models.data.sources.idx import Idx, parse

REAL = Path(__file__).parents[5] / "shared" / "data" / "mnist_t10k"
# Twelve images of 2 x 3 pixels, all of one grey: image i has value 20 i, and class i mod 2.
IMAGES = np.repeat(np.arange(12, dtype=np.uint8) * 20, 6).reshape(12, 2, 3)
LABELS = np.arange(12, dtype=np.uint8) % 2


def idx(array, code=0x08):
    shape = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, code, array.ndim]) + shape + array.tobytes()


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else idx(content))
        return str(path)

    return write


@pytest.fixture
def source(write):
    return Idx(images=write("images", IMAGES), labels=write("labels", LABELS))


def test_pixels_become_0_to_1_with_a_colour_axis(source):
    data = load(source)
    # 12 rows: round(0.2 * 12) = 2 each to validate and to test, one of each class.
    assert data.train.inputs.shape == (8, 1, 2, 3)
    assert data.train.inputs.dtype == np.float32
    assert (len(data.validation), len(data.test)) == (2, 2)
    assert data.shape == (1, 2, 3)
    assert data.classes == (0, 1)
    inputs = np.concatenate([part.inputs for part in (data.train, data.validation, data.test)])
    expected = np.arange(12, dtype=np.float32) * 20 / 255
    np.testing.assert_allclose(np.sort(inputs[:, 0, 0, 0]), expected, rtol=1e-6)
    numbers = np.rint(data.train.inputs[:, 0, 0, 0] * 255 / 20).astype(int)
    assert data.train.targets.tolist() == (numbers % 2).tolist()


def test_gzip_is_known_by_its_content_not_by_its_name(source, write):
    packed = Idx(
        images=write("images.bin", gzip.compress(idx(IMAGES))),
        labels=write("labels.bin", gzip.compress(idx(LABELS))),
    )
    assert load(packed).fingerprint == load(source).fingerprint
    np.testing.assert_array_equal(load(packed).train.inputs, load(source).train.inputs)


def test_published_test_files_are_the_test_split_and_no_training_row_is_spent(source, write):
    given = source.model_copy(
        update={
            "test_images": write("test_images", IMAGES[:3]),
            "test_labels": write("test_labels", LABELS[:3]),
        }
    )
    data = load(given)
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 2, 3)
    np.testing.assert_allclose(data.test.inputs[:, 0, 0, 0], np.array([0, 20, 40]) / 255)
    assert data.test.targets.tolist() == [0, 1, 0]
    assert data.fingerprint != load(source).fingerprint


def test_published_validation_files_are_the_validation_split(source, write):
    given = source.model_copy(
        update={
            "validation_images": write("validation_images", IMAGES[:4]),
            "validation_labels": write("validation_labels", LABELS[:4]),
        }
    )
    data = load(given)
    assert (len(data.train), len(data.validation), len(data.test)) == (10, 4, 2)
    np.testing.assert_allclose(data.validation.inputs[:, 0, 0, 0], np.arange(4) * 20 / 255)


def test_a_served_model_takes_raw_pixels_flat_or_square(source):
    data = load(source)
    assert data.example.shape == (5, 2, 3)
    assert data.example.dtype == np.uint8
    square = data.preprocessing.transform(data.example)
    flat = data.preprocessing.transform(data.example.reshape(5, 6))
    assert square.shape == (5, 1, 2, 3)
    np.testing.assert_array_equal(square, flat)
    with pytest.raises(ValueError, match=r"shape \[rows, 2, 3\].*got \[5, 3, 2\]"):
        data.preprocessing.transform(np.zeros((5, 3, 2)))


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "u1"), (0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")],
)
def test_every_type_of_the_format_is_read_big_endian(code, dtype):
    array = np.array([[1, 2, 3], [4, 5, 100]], dtype=dtype)
    found = parse(idx(array, code), "file")
    np.testing.assert_array_equal(found, array)
    assert found.dtype.isnative


def test_images_of_floats_are_scaled_by_the_brightest_training_pixel(write):
    images = write("images", idx(IMAGES.astype(">f4"), 0x0D))
    data = load(Idx(images=images, labels=write("labels", LABELS)))
    assert data.train.inputs.max() == 1


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "must hold data, got an empty file"),
        (b"\x89PNG", "starts with the bytes 00 00.*got 89 50 4e 47"),
        (b"\0\0", "starts with the bytes 00 00"),
        (b"\0\0\x07\x01", "starts with the bytes 00 00"),
        (b"\0\0\x08\x03\0\0", "got 6"),
        (idx(IMAGES)[:-1], r"shape \[12, 2, 3\] has 88 bytes, got 87"),
        (idx(IMAGES) + b"x", r"has 88 bytes, got 89"),
        (gzip.compress(idx(IMAGES), mtime=0)[:-9], "must be whole"),
        (idx(LABELS), "images need 3 dimensions .*got 1"),
        (idx(IMAGES[:0]), "must not be empty"),
        (idx(IMAGES[:11]), "every image needs one label, got 11 images .* 12 labels"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(write, content, rule):
    source = Idx(images=write("images", content), labels=write("labels", LABELS))
    with pytest.raises(ValueError, match=rule) as caught:
        load(source)
    assert source.images in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named():
    with pytest.raises(FileNotFoundError, match="no file /nowhere/images"):
        load(Idx(images="/nowhere/images", labels="/nowhere/labels"))


def test_a_test_label_that_training_lacks_is_an_error(source, write):
    given = source.model_copy(
        update={
            "test_images": write("test_images", IMAGES[:1]),
            "test_labels": write("test_labels", np.array([7], dtype=np.uint8)),
        }
    )
    with pytest.raises(ValueError, match="test labels must occur in training, got 7"):
        load(given)


def test_test_images_need_test_labels():
    with pytest.raises(ValidationError, match="go together"):
        Idx(images="a", labels="b", test_images="c")


def test_mnist_loads():
    if not REAL.is_dir():
        pytest.skip(f"real MNIST files are absent from {REAL}")
    data = load(
        Idx(
            images=str(REAL / "t10k-images-idx3-ubyte.gz"),
            labels=str(REAL / "t10k-labels-idx1-ubyte.gz"),
        )
    )
    assert data.shape == (1, 28, 28)
    assert data.classes == tuple(range(10))
    assert (len(data.train), len(data.validation), len(data.test)) == (6000, 2000, 2000)
    assert data.train.inputs.min() == 0
    assert data.train.inputs.max() == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e200])
def test_a_pixel_that_no_network_can_take_is_named(write, value):
    images = IMAGES.astype(">f8")
    images[4, 1, 0] = value
    given = Idx(images=write("images", idx(images, 0x0E)), labels=write("labels", LABELS))
    rule = f"finite numbers of at most 3.40282e+38, got {value:g} in image 5; "
    with pytest.raises(ValueError, match=re.escape(rule)):
        load(given)
