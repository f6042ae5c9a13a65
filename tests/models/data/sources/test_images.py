"""A folder of images for each class: of every kind that Pillow reads, as arrays of one size."""

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from nettuner.models.data import image_files
from nettuner.models.data.load import load
from nettuner.models.data.preprocessing import Preprocessing
from nettuner.models.data.profiling import profile
from nettuner.models.data.sources.images import Images


def save(place, image, **options):
    place.parent.mkdir(parents=True, exist_ok=True)
    image.save(place, **options)
    return place


def grey(value, size=(6, 4), mode="L"):
    """Width and height, as Pillow counts."""
    return Image.new(mode, size, value)


@pytest.fixture
def folder(tmp_path):
    """Cats are dark and dogs are bright: ten images of 4 x 6 pixels of each, image i of value i."""
    for i in range(10):
        save(tmp_path / "pets" / "cat" / f"{i}.png", grey(i))
        save(tmp_path / "pets" / "dog" / f"{i}.png", grey(200 + i))
    return tmp_path / "pets"


def test_the_folders_are_the_classes(folder):
    (folder / "cat" / "notes.txt").write_text("no image")
    (folder / ".thumbnails").mkdir()
    data = load(Images(folder=str(folder)))
    assert data.classes == ("cat", "dog")
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 4, 4)
    assert data.train.inputs.shape == (12, 1, 4, 6)
    dark = data.train.inputs.max(axis=(1, 2, 3)) < 0.5
    assert (dark == (data.train.targets == 0)).all()
    found = profile(Images(folder=str(folder)), data)
    assert found.inputs == "images of 1 x 4 x 6 (colours, height, width)"
    assert found.target.classes == {"cat": 10, "dog": 10}


def test_folders_of_splits_are_the_splits(folder):
    for i in range(3):
        for kind in ("cat", "dog"):
            save(folder.parent / "split" / "train" / kind / f"{i}.png", grey(i))
    save(folder.parent / "split" / "val" / "dog" / "a.png", grey(50))
    save(folder.parent / "split" / "test" / "cat" / "a.png", grey(60))
    data = load(Images(folder=str(folder.parent / "split")))
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 1, 1)
    np.testing.assert_allclose(data.validation.inputs, 50 / 255, rtol=1e-6)
    assert data.validation.targets.tolist() == [1]
    assert data.raw_test.truth == ("cat",)


def test_without_a_folder_for_validation_it_is_a_share_of_the_training_images(folder):
    folder.rename(folder.with_name("train"))
    whole = folder.parent
    save(whole / "test" / "cat" / "a.png", grey(60))
    data = load(Images(folder=str(whole)))
    assert (len(data.train), len(data.validation), len(data.test)) == (16, 4, 1)


@pytest.mark.parametrize(
    ("image", "options", "value"),
    [
        (grey(100), {}, 100),
        (grey(1, mode="1"), {}, 255),
        (grey((100, 100, 100), mode="RGB"), {}, 100),
        (grey((0, 0, 0, 0), mode="RGBA"), {}, 255),  # transparent: laid on white
        (grey((100, 255), mode="LA"), {}, 100),
        (Image.fromarray(np.full((4, 6), 25700, dtype=np.uint16)), {}, 100),  # 257 for each of 255
        (grey((0, 0, 0, 255), mode="CMYK"), {"format": "TIFF"}, 0),
    ],
)
def test_every_kind_of_image_is_read_as_grey(folder, image, options, value):
    ending = "tiff" if options else "png"
    save(folder / "cat" / f"new.{ending}", image, **options)
    found = image_files.read_images([folder / "cat" / f"new.{ending}"], None, colour=False)
    assert found.shape == (1, 4, 6)
    assert np.unique(found).tolist() == [value]


def test_colours_are_kept_and_come_first_for_the_network(folder):
    save(folder / "cat" / "red.png", grey((255, 0, 51), mode="RGB"))
    data = load(Images(folder=str(folder)))
    assert data.shape == (3, 4, 6)
    assert data.example.shape == (5, 4, 6, 3)
    everything = np.concatenate([part.inputs for part in (data.train, data.validation, data.test)])
    (red,) = everything[everything[:, 0].max(axis=(1, 2)) == 1]
    np.testing.assert_allclose(red[:, 0, 0], [1, 0, 0.2], rtol=1e-6)
    assert load(Images(folder=str(folder), colour="grey")).shape == (1, 4, 6)


def test_an_image_is_scaled_to_cover_and_cut_in_the_middle(tmp_path):
    # 8 wide, 4 high: two black columns, four white ones, two black ones; the middle is white.
    pixels = np.zeros((4, 8), dtype=np.uint8)
    pixels[:, 2:6] = 255
    place = save(tmp_path / "wide.png", Image.fromarray(pixels))
    assert (image_files.read_images([place], (4, 4), colour=False) == 255).all()
    assert image_files.read_images([place], (2, 4), colour=False).shape == (1, 2, 4)


def test_an_image_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    place = save(tmp_path / "turned.jpg", grey(100, size=(6, 4)), exif=exif)
    assert image_files.read_images([place], None, colour=False).shape == (1, 6, 4)


def test_a_served_model_takes_pixels_with_the_colours_last_first_or_flat(folder):
    save(folder / "cat" / "red.png", grey((255, 0, 51), mode="RGB"))
    data = load(Images(folder=str(folder)))
    served = Preprocessing.from_json(data.preprocessing.to_json())
    assert served == data.preprocessing
    last = served.transform(data.example)
    np.testing.assert_array_equal(last, served.transform(data.example.reshape(5, -1)))
    np.testing.assert_array_equal(last, served.transform(data.example.transpose(0, 3, 1, 2)))
    with pytest.raises(
        ValueError, match=r"shape \[rows, 4, 6, 3\] or \[rows, 72\], got \[5, 8, 6, 3\]"
    ):
        served.transform(np.zeros((5, 8, 6, 3)))


def test_images_of_several_sizes_need_one(folder, refused):
    save(folder / "dog" / "wide.png", grey(0, size=(9, 4)))
    line = refused(Images(folder=str(folder)))
    assert line.startswith("images must have one size where none is given, got 4 x 9 in")
    assert line.endswith("give size")
    assert load(Images(folder=str(folder), size=3)).shape == (1, 3, 3)
    assert load(Images(folder=str(folder), size=[2, 5])).shape == (1, 2, 5)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n and no more", b"text"])
def test_a_damaged_file_is_named_in_one_line(folder, refused, content):
    (folder / "dog" / "3.png").write_bytes(content)
    line = refused(Images(folder=str(folder)))
    assert line.startswith(f"{folder}/dog/3.png must be a whole image, got: ")
    assert line.endswith("; replace or remove it")


def test_a_file_that_ends_early_is_named(folder, refused):
    path = folder / "dog" / "3.png"
    save(path, Image.effect_noise((60, 40), 50))
    path.write_bytes(path.read_bytes()[:-1000])
    assert f"{path} must be a whole image, got: " in refused(Images(folder=str(folder), size=8))


def test_images_that_do_not_fit_into_memory_are_refused_with_the_way_out(folder, refused):
    # 20 images of 6,000 x 6,000 pixels are 720 million numbers of 4 bytes.
    line = refused(Images(folder=str(folder), size=6000))
    assert "at most 2 GiB, got 20 of 6000 x 6000 pixels, which take 2.7 GiB; lower size" in line


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda folder: folder / "nothing", "no folder"),
        (
            lambda folder: folder / "cat",
            "must have a folder of images for each class, got 0 folders",
        ),
    ],
)
def test_a_folder_without_classes_is_told_so(folder, make, rule):
    with pytest.raises((ValueError, FileNotFoundError), match=rule):
        load(Images(folder=str(make(folder))))


def test_a_class_of_the_test_that_training_lacks_is_an_error(folder, refused):
    folder.rename(folder.with_name("train"))
    save(folder.parent / "test" / "bird" / "a.png", grey(60))
    line = refused(Images(folder=str(folder.parent)))
    assert line == "test labels must occur in training, got 'bird'; training has: 'cat', 'dog'"


def test_an_image_that_changed_is_read_again(folder):
    before = load(Images(folder=str(folder))).fingerprint
    assert load(Images(folder=str(folder))).fingerprint == before
    save(folder / "cat" / "0.png", grey(77))
    assert load(Images(folder=str(folder))).fingerprint != before


@pytest.mark.parametrize("size", [0, [1, 2, 3], "big"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValidationError):
        Images(folder="x", size=size)
