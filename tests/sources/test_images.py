"""Images in and out: what is written reads back, every odd picture is right or refused by name."""

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from synthloom import datasets
from synthloom.errors import DataError, FileError, UsageError
from synthloom.sources import Frame, Images, images_of, kind_of, read_images, write_images
from synthloom.sources.images import sheet, take_images

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (5, 6, 7), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)


def idx(array):
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def is_mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


@pytest.mark.parametrize("levels", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("labels", [None, [1, 0, 1, 0, 1], ["a", "b", "a", "b", None]], ids=["none", "int", "text"])
def test_arrays_read_back_as_they_were_written(tmp_path, levels, labels):
    path = tmp_path / "i.npz"
    assert (
        write_images([Images(levels[:2], labels and labels[:2]), Images(levels[2:], labels and labels[2:])], path) == 5
    )
    again = read_images(path)
    assert (np.asarray(again) == levels).all()
    assert again.labels == (labels and ["" if label is None else label for label in labels])


@pytest.mark.parametrize("levels", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_folder_reads_back_with_its_folders_as_labels(tmp_path, levels):
    assert write_images(Images(levels, ["b", "a", "b", "a", "b"]), tmp_path / "out") == 5
    again = read_images(tmp_path / "out")
    assert again.labels == ["a", "a", "b", "b", "b"]
    assert (np.asarray(again) == levels[[1, 3, 0, 2, 4]]).all()
    assert write_images(Images(levels), tmp_path / "plain") == 5
    plain = read_images(tmp_path / "plain")
    assert (np.asarray(plain) == levels).all()
    assert plain.labels is None
    with pytest.raises(FileError, match="new or empty"):
        write_images(Images(levels), tmp_path / "plain")


def test_a_sheet_shows_all_and_a_single_one_is_itself(tmp_path):
    write_images(Images(GREY[:1]), tmp_path / "one.png")
    assert (np.asarray(read_images(tmp_path / "one.png")) == GREY[:1]).all()
    page = np.asarray(sheet(Images(COLOUR), columns=2))
    assert page.shape == (3 * 8 + 2, 2 * 9 + 2, 3)
    assert (page[2 + 8 : 8 + 8, 2 + 9 : 9 + 9] == COLOUR[3]).all()
    for n in (0, 2_501):
        with pytest.raises(DataError, match="sheet"):
            sheet(Images(np.zeros((n, 1, 1), np.uint8)))


@pytest.mark.parametrize("packed", [False, True])
def test_idx_files_find_their_labels(tmp_path, packed):
    ending, pack = (".gz", gzip.compress) if packed else ("", bytes)
    (tmp_path / f"train-images-idx3-ubyte{ending}").write_bytes(pack(idx(GREY)))
    labels = np.arange(5, dtype=np.uint8)
    (tmp_path / f"train-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels)))
    images = read_images(tmp_path / f"train-images-idx3-ubyte{ending}")
    assert (np.asarray(images) == GREY).all()
    assert images.labels == [0, 1, 2, 3, 4]
    assert is_mapped(images) is not packed  # what is mapped may be larger than memory


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("a.idx", b"", "idx"),
        ("a.idx", b"PK\3\4 not an idx", "idx"),
        ("a.idx", idx(GREY)[:-1], "210 bytes"),
        ("a.idx", idx(GREY) + b"x", "more"),
        ("a.idx", idx(GREY)[:6], "announces"),
        ("a.idx.gz", gzip.compress(idx(GREY), mtime=0)[:-20], "cut off"),
        ("a.idx.gz", gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 1 << 31, 1 << 10, 1 << 10), mtime=0), "memory"),
        ("a.npz", b"PK\3\4", "numpy"),
        ("a.npy", b"\x93NUMPY", "numpy"),
        ("a.png", b"\x89PNG", "picture"),
        ("a.jpg", b"", "picture"),
        ("a.webm", b"", "known kind"),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, content, word):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=word) as caught:
        read_images(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_said(tmp_path):
    for name in ("nothing.png", "nothing.npz", "nothing"):
        with pytest.raises(FileError, match=name):
            read_images(tmp_path / name)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="holds none"):
        read_images(tmp_path / "empty")
    with pytest.raises(FileError, match=r"\.png"):
        write_images(Images(GREY), tmp_path / "a.csv")
    np.savez(tmp_path / "a.npz", pictures=GREY, more=GREY)
    with pytest.raises(DataError, match="pictures, more"):
        read_images(tmp_path / "a.npz")


# -- pictures that are odd ---------------------------------------------------------------------------------------------

PLAIN = Image.fromarray(COLOUR[0])
NOISE = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))


def saved(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return read_images(tmp_path / name)


def test_sixteen_bits_become_eight(tmp_path):
    deep = Image.fromarray(GREY[0].astype(np.uint16) * 257)
    assert (np.asarray(saved(tmp_path, deep)) == GREY[:1]).all()


def test_a_palette_becomes_the_colours_it_stands_for_or_grey(tmp_path):
    few = Image.fromarray(COLOUR[0] // 128 * 255)
    assert (np.asarray(saved(tmp_path, few.quantize(8))) == np.asarray(few)).all()
    grey = Image.fromarray(GREY[0]).quantize(256)
    assert np.asarray(saved(tmp_path, grey, "g.png")).shape == (1, 6, 7)


def test_what_is_transparent_lies_on_white(tmp_path):
    alpha = np.dstack([COLOUR[0], np.where(np.arange(7) < 3, 0, 255)[None].repeat(6, 0)]).astype(np.uint8)
    found = np.asarray(saved(tmp_path, Image.fromarray(alpha)))[0]
    assert (found[:, :3] == 255).all()
    assert (found[:, 3:] == COLOUR[0][:, 3:]).all()


def test_cmyk_and_one_bit_are_read(tmp_path):
    assert np.asarray(saved(tmp_path, PLAIN.convert("CMYK"), "c.jpg")).shape == (1, 6, 7, 3)
    bits = Image.fromarray(GREY[0]).convert("1")
    assert set(np.unique(np.asarray(saved(tmp_path, bits, "b.png")))) <= {0, 255}


def test_a_picture_on_its_side_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    assert saved(tmp_path, PLAIN, "t.png", exif=exif).shape == (1, 7, 6, 3)
    folder = tmp_path / "folder"
    folder.mkdir()
    PLAIN.save(folder / "1.png", exif=exif)
    Image.fromarray(COLOUR[0].transpose(1, 0, 2)).save(folder / "2.png")
    assert read_images(folder).shape == (2, 7, 6, 3)


def test_one_pixel_is_a_picture(tmp_path):
    assert np.asarray(saved(tmp_path, Image.new("L", (1, 1), 7))).tolist() == [[[7]]]


def refused(tmp_path, image, name, **options):
    image.save(tmp_path / name, **options)
    with pytest.raises(FileError, match=name) as caught:
        read_images(tmp_path / name)
    return str(caught.value)


def test_what_cannot_be_right_is_refused_by_name(tmp_path):
    assert "mode F" in refused(tmp_path, Image.fromarray(GREY[0].astype(np.float32)), "f.tif")
    assert "2 frames" in refused(tmp_path, PLAIN, "a.gif", save_all=True, append_images=[Image.new("RGB", (7, 6))])
    huge = Image.new("1", (20_000, 5_001))
    assert "100,000,000" in refused(tmp_path, huge, "huge.png")


def test_a_truncated_photograph_is_refused(tmp_path):
    whole = io.BytesIO()
    NOISE.save(whole, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(whole.getvalue()[:-200])
    with pytest.raises(FileError, match=r"cut\.jpg"):
        read_images(tmp_path / "cut.jpg")


def test_a_broken_picture_in_a_folder_is_named(tmp_path):
    write_images(Images(GREY), tmp_path / "out")
    (tmp_path / "out" / "000003.png").write_bytes(b"nothing")
    with pytest.raises(FileError, match=r"000003\.png"):
        read_images(tmp_path / "out")


def test_mixed_sizes_are_named_unless_a_size_is_asked_for(tmp_path):
    Image.fromarray(COLOUR[0]).save(tmp_path / "1.png")
    NOISE.convert("L").save(tmp_path / "2.png")
    with pytest.raises(DataError, match=r"1\.png is 6 x 7 and .*2\.png is 64 x 64.*size"):
        read_images(tmp_path)
    for how in ("crop", "pad", "stretch"):
        images = read_images(tmp_path, frame=Frame((8, 8), None, how))
        assert images.shape == (2, 8, 8, 3)
    assert read_images(tmp_path, frame=Frame((8, 8), 1)).shape == (2, 8, 8)


def test_cropping_keeps_the_middle_padding_keeps_all_stretching_fills():
    wide = np.zeros((1, 4, 12), np.uint8)
    wide[:, :, 4:8] = 255  # a square in the middle
    crop, pad, stretch = (
        np.asarray(images_of(wide, frame=Frame((4, 4), 1, how)))[0] for how in ("crop", "pad", "stretch")
    )
    assert (crop == 255).all()
    assert (pad[[0, 3]] == 0).all()
    assert pad.max() > 100
    assert (stretch[:, 0] == stretch[:, 3]).all()
    assert stretch[0, 1] > stretch[0, 0]


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_arrays_of_every_kind_mean_the_same():
    same = [GREY, GREY[..., None], GREY.astype(np.int64), GREY / 255, (GREY / 255).astype(np.float32), list(GREY)]
    for array in [*same, [Image.fromarray(level) for level in GREY]]:
        images = images_of(array)
        assert images.dtype == np.uint8
        assert (np.asarray(images) == GREY).all()
    assert images_of(GREY[0]).shape == (1, 6, 7)
    assert set(np.unique(images_of(GREY > 100))) == {0, 255}
    assert images_of([*COLOUR]).shape == COLOUR.shape


@pytest.mark.parametrize(
    ("array", "word"),
    [
        (np.zeros((2, 3, 4, 2)), "channels"),
        (np.zeros((2, 3, 8, 8)), "channels"),
        (np.zeros(5), "shape"),
        (np.zeros((2, 0, 4)), "shape"),
        (np.full((1, 2, 2), 1.5), "0 and 1"),
        (np.full((1, 2, 2), np.nan), "0 and 1"),
        (np.full((1, 2, 2), 256), "beyond 255"),
        (np.full((1, 2, 2), "a"), "uint8"),
        ([GREY[0], GREY[0][:3]], "number 1"),
        (7, "int"),
    ],
)
def test_arrays_that_are_no_images_are_refused(array, word):
    with pytest.raises(DataError, match=word):
        images_of(array)


def test_labels_are_one_for_each():
    assert images_of(GREY, labels=np.arange(5)).labels == [0, 1, 2, 3, 4]
    with pytest.raises(UsageError, match="3 for 5"):
        images_of(GREY, labels=[1, 2, 3])
    with pytest.raises(UsageError, match="npz"):
        images_of(Path(), labels="label")
    some = take_images(Images(GREY, list("abcde")), [3, 1])
    assert some.labels == ["d", "b"]
    assert (np.asarray(some) == GREY[[3, 1]]).all()
    assert Images(GREY, list("abcde"))[:2].labels is None


def test_images_are_told_by_endings(tmp_path):
    for name in ("a.PNG", "t10k-images-idx3-ubyte.gz", "a.npz", "a.idx"):
        assert kind_of(name) == "image"
    write_images(Images(GREY, ["x"] * 5), tmp_path / "out")
    (tmp_path / "out" / "README.md").touch()
    assert kind_of(tmp_path / "out") == "image"


def test_shapes_are_what_their_labels_say():
    images, labels = datasets.shapes(300)
    by_name = {name: images[[label == name for label in labels]] for name in ("disc", "square", "cross")}
    assert all(len(some) > 60 for some in by_name.values())
    filled = {name: (some > 0).mean() for name, some in by_name.items()}
    assert filled["square"] > filled["disc"] > filled["cross"]
