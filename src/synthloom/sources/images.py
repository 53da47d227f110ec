"""Where images come from and go to, and the labels that may go with them.

an idx or idx.gz file    images; labels from the file beside it that is named labels-idx1 in place of images-idx3
an .npz or .npy file     images in its array "images", or in the only one that has a shape for them; labels in "labels"
a picture                one image
a folder of pictures     an image each; where folders lie in the folder, their names are the labels

Levels are 8-bit. Legend: N images, H height, W width, C channels: 1 grey, 3 colour.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from synthloom import devices
from synthloom.errors import DataError, FileError, UsageError
from synthloom.files import atomic, mapped
from synthloom.sources.folders import write_folder
from synthloom.sources.idx import read_idx
from synthloom.sources.pictures import PICTURES, Frame, framed, header, read_picture

__all__ = ["IMAGES", "Images", "images_of", "join", "read_images", "sheet", "take_images", "write_images"]

_IDX = ("idx3-ubyte", "idx3-ubyte.gz", ".idx", ".idx.gz")
_ARRAYS = (".npz", ".npy")
IMAGES = (*_IDX, *_ARRAYS, *PICTURES)
"""Endings of files that hold images."""

_PIXELS = ("images", "x_train", "x", "data", "arr_0")
_LABELS = ("labels", "label", "y_train", "y")
"""What arrays are called in .npz files, the likeliest first."""

_MOST_ON_A_SHEET = 2_500


class Images(np.ndarray):
    """Levels uint8 [N, H, W], or [N, H, W, 3] in colour, with a label for each where there are labels: an array that
    knows a little more.

    >>> images = Images(np.zeros((2, 8, 8), np.uint8), labels=["zero", None])
    >>> images.shape, images.labels
    ((2, 8, 8), ['zero', None])
    """

    labels: list[Any] | None

    def __new__(cls, levels: Any, labels: Iterable[Any] | None = None) -> Images:
        images = np.asarray(levels).view(cls)
        images.labels = None if labels is None else [_plain_label(label) for label in labels]
        if images.labels is not None and len(images.labels) != len(images):
            raise UsageError(
                f"there must be a label for each image, however: {len(images.labels)} for {len(images)} images"
            )
        return images

    def __array_finalize__(self, other: Any) -> None:
        self.labels = None  # a part of the images is not a part of the labels: `take_images` takes both

    @property
    def level_NHWC(self) -> NDArray[np.uint8]:
        plain = np.asarray(self)
        return plain if plain.ndim == 4 else plain[:, :, :, None]

    @staticmethod
    def of(level_NHWC: NDArray[np.uint8], labels: Iterable[Any] | None = None) -> Images:
        """Grey ones without the axis of channels."""
        return Images(level_NHWC[..., 0] if level_NHWC.shape[3] == 1 else level_NHWC, labels)


def _plain_label(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def images_of(data: Any, *, labels: Sequence[Hashable] | str | None = None, frame: Frame | None = None) -> Images:
    """Images from whatever may stand for them: an array of one or many, a list of arrays or pictures, a path.

    Arrays are [N, H, W] or [N, H, W, C], or [H, W] for one grey image, of uint8, of booleans, or of floats from 0 to 1,
    which are rounded to 256 levels. `labels` are one for each, or where they are: the array of an .npz file, another
    file. `frame` is what images are brought to.
    """
    named = labels if isinstance(labels, str) else None
    if isinstance(data, (str, Path)):
        images = read_images(data, labels=named, frame=frame)
    elif isinstance(data, Images):
        images = _in_frame(data, frame)
    elif isinstance(data, Image.Image):
        return images_of([data], labels=labels, frame=frame)
    elif hasattr(data, "__array__"):
        images = _in_frame(_checked(np.asarray(data), "the array"), frame)
    elif isinstance(data, Iterable):
        images = _of_list(list(data), frame)
    else:
        raise DataError(f"images must be an array, a list of them or a path, however: it is a {type(data).__name__}")
    if labels is None or named is not None:
        return images
    return Images(images, labels)


def take_images(images: Images, index: Sequence[int]) -> Images:
    """The images with these numbers, labels and all."""
    labels = None if images.labels is None else [images.labels[i] for i in index]
    return Images(np.asarray(images)[np.asarray(index, np.int64)], labels)


# -- arrays -----------------------------------------------------------------------------------------------------------


def _checked(array: NDArray[Any], name: str) -> Images:
    """An array as images, or what is wrong with it."""
    if array.ndim == 2:
        array = array[None]
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)) or 0 in array.shape[1:]:
        raise DataError(
            f"images must have the shape [N, H, W], or [N, H, W, C] with 1 or 3 channels, however: {name} has "
            f"{list(array.shape)}; move or drop axes"
        )
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype.kind == "f":
        low, high = (array.min(), array.max()) if array.size else (0, 1)
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"images of floats must lie between 0 and 1, however: {name} goes from {low:.4g} to {high:.4g}; "
                f"scale it, or give levels as uint8"
            )
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        if array.dtype.kind not in "iu" or (array.size and not (array.min() >= 0 and array.max() <= 255)):
            raise DataError(
                f"images must be uint8, or floats from 0 to 1, however: {name} is {array.dtype}"
                f"{'' if array.dtype.kind not in 'iu' else ' beyond 255'}; scale it, and give uint8"
            )
        array = array.astype(np.uint8)
    return Images(array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array)


def _in_frame(images: Images, frame: Frame | None) -> Images:
    """Images that are not as the frame wants them are brought to it."""
    N, H, W, C = images.level_NHWC.shape
    if frame is None or ((frame.size or (H, W)) == (H, W) and (frame.channels or C) == C):
        return images
    shape = (*(frame.size or (H, W)), frame.channels or C)
    level_NHWC = np.empty((N, *shape), np.uint8)
    for n, level in enumerate(np.asarray(images)):
        level_NHWC[n] = framed(Image.fromarray(level), frame)
    return Images.of(level_NHWC, images.labels)


def _of_list(data: list[Any], frame: Frame | None) -> Images:
    parts = []
    for number, item in enumerate(data):
        array = np.asarray(item.convert("RGB" if item.mode not in ("1", "L") else "L")) if _is_picture(item) else item
        array = np.asarray(array)
        colour = array.ndim == 3 and array.shape[2] in (1, 3)
        parts.append(_in_frame(_checked(array[None] if colour else array, f"number {number}"), frame))
    return join(parts) if parts else Images(np.zeros((0, *((frame and frame.size) or (1, 1))), np.uint8))


def _is_picture(item: Any) -> bool:
    return isinstance(item, Image.Image)


def _mixed(one: str, shape: Sequence[int], other: str, other_shape: Sequence[int]) -> DataError:
    sizes = [" x ".join(map(str, each)) for each in (shape, other_shape)]
    return DataError(
        f"images must be of one size, however: {one} is {sizes[0]} and {other} is {sizes[1]}; "
        f"say what size they shall be brought to (image_size=32)"
    )


# -- reading ----------------------------------------------------------------------------------------------------------


def read_images(path: Path | str, *, labels: str | None = None, frame: Frame | None = None) -> Images:
    """The images in a file or folder. `labels` names another array of an .npz file, or a file that holds them."""
    path, frame = Path(path), frame or Frame()
    name = path.name.lower()
    if not path.exists():
        raise FileError(f"there is no file or folder {path}; look for a slip in the name")
    if labels is not None and not name.endswith((*_IDX, ".npz")):
        raise UsageError(f"labels of images are in an .npz file or beside an idx file, however: {path} is neither")
    if path.is_dir():
        return _read_folder(path, frame)
    if name.endswith(PICTURES):
        return Images.of(read_picture(path, frame)[None])
    if name.endswith(_ARRAYS):
        return _read_arrays(path, labels, frame)
    if name.endswith(_IDX):
        images = _in_frame(_checked(read_idx(path), str(path)), frame)
        beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        beside = Path(labels) if labels is not None else beside
        if labels is None and (beside == path or not beside.exists()):
            return images
        found = read_idx(beside)
        if found.shape != (len(images),):
            raise DataError(f"{beside} must hold {len(images):,} labels, however: its shape is {list(found.shape)}")
        return Images(images, found)
    raise FileError(f"images must be in a file of a known kind ({', '.join(IMAGES)}) or a folder, however: {path}")


def _read_folder(folder: Path, frame: Frame) -> Images:
    """Two passes: what the pictures are, and then each to a file that is mapped, so that only one is ever in memory."""
    paths = _pictures(folder)
    headers = [header(path) for path in paths]
    size = frame.size or headers[0].size
    odd = next((n for n, one in enumerate(headers) if frame.size is None and one.size != size), None)
    if odd is not None:
        raise _mixed(str(paths[0]), size, str(paths[odd]), headers[odd].size)
    frame = Frame(size, frame.channels or max(one.channels for one in headers), frame.how)
    levels = mapped((np.ascontiguousarray(read_picture(path, frame)) for path in paths), np.uint8)
    labels = None if paths[0].parent == folder else [path.parent.name for path in paths]
    return Images.of(levels.reshape(len(paths), *size, frame.channels or 1), labels)


def _pictures(folder: Path) -> list[Path]:
    """Pictures in class folders, or else right in the folder, by name; what begins with "." or "_" is passed over."""
    for place in ("*/*", "*"):
        found = [path for path in folder.glob(place) if path.name.lower().endswith(PICTURES)]
        found = [path for path in found if not any(p.startswith((".", "_")) for p in path.relative_to(folder).parts)]
        if found:
            return sorted(found)
    raise FileError(f"a folder of images must hold pictures ({', '.join(PICTURES)}), however: {folder} holds none")


def _read_arrays(path: Path, labels: str | None, frame: Frame) -> Images:
    try:
        if path.suffix.lower() == ".npy":
            # mapped, so that it may be larger than memory
            return _in_frame(_checked(np.load(path, mmap_mode="r", allow_pickle=False), str(path)), frame)
        with zipfile.ZipFile(path) as archive:
            if (size := sum(about.file_size for about in archive.infolist())) > 0.8 * devices.free_memory():
                raise FileError(f"the images must fit into memory, however: {path} holds {size / 2**30:.1f} GiB")
        with np.load(path, allow_pickle=False) as arrays:
            name = _named(path, arrays, _PIXELS, None)
            images = _in_frame(_checked(arrays[name], f"{name!r} of {path}"), frame)
            if labels is None and not any(known in arrays for known in _LABELS):
                return images
            return Images(images, arrays[_named(path, arrays, _LABELS, labels)])
    except (DataError, FileError, UsageError):
        raise
    except Exception as error:  # parsers of foreign bytes fail in any way they like
        why = " ".join(str(error).split())
        raise FileError(f"{path} must hold numpy arrays without objects, however: {why}; save it again") from error


def _named(path: Path, arrays: Mapping[str, Any], likely: Sequence[str], asked: str | None) -> str:
    """The name of the array that is meant."""
    names = list(arrays)
    if asked is not None:
        likely = (asked,)
    elif likely is _PIXELS and not any(name in names for name in likely):
        likely = [name for name in names if arrays[name].ndim in (3, 4)]
        likely = likely if len(likely) == 1 else ()
    found = next((name for name in likely if name in names), None)
    if found is None:
        raise DataError(
            f'{path} must have an array {asked!r}, or "images", however: it has {", ".join(names) or "none"}; rename it'
        )
    return found


# -- writing ----------------------------------------------------------------------------------------------------------


def write_images(images: Images | Iterable[Images], path: Path | str, *, excel_safe: bool = False) -> int:
    """Write images, given whole or in parts, and return their number.

    .png is one sheet with all of them; .npz holds the arrays "images" and "labels"; anything without an ending is a
    folder with a picture for each, in a folder for each label. No spreadsheet opens any of these (`excel_safe`).
    """
    parts: Iterable[Images] = [images] if isinstance(images, Images) else images
    path = Path(path)
    if path.suffix == "" and str(path) != "-":
        sides = ((np.asarray(part), part.labels) for part in parts)
        return write_folder(sides, path, ".png", lambda level, file: Image.fromarray(level).save(file, "PNG"))
    if path.suffix.lower() not in (".png", ".npz"):
        raise FileError(f"images must go to a .png sheet, an .npz file or a folder, however: {path}; rename it")
    whole = join(parts)
    if path.suffix.lower() == ".png":
        drawn = sheet(whole)
        with atomic(path) as part:
            drawn.save(part, "PNG", optimize=True)
        return len(whole)
    arrays: dict[str, Any] = {"images": np.asarray(whole)}
    if whole.labels is not None:
        words = all(isinstance(label, int) for label in whole.labels)
        arrays["labels"] = np.array(
            whole.labels if words else ["" if label is None else str(label) for label in whole.labels]
        )
    with atomic(path) as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return len(whole)


def join(parts: Iterable[Images]) -> Images:
    """All parts as one."""
    parts = list(parts)
    if not parts:
        return Images(np.zeros((0, 1, 1), np.uint8))
    shapes = [part.shape[1:] for part in parts]
    odd = next((number for number, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is not None:
        raise _mixed("number 0", shapes[0], f"number {odd}", shapes[odd])
    labels = [label for part in parts for label in part.labels or []]
    return Images(np.concatenate([np.asarray(part) for part in parts]), None if parts[0].labels is None else labels)


def sheet(images: Images, columns: int | None = None) -> Image.Image:
    """One picture with all of the images on it, row by row: in one row up to ten, ten to a row up to a hundred.

    >>> sheet(Images(np.zeros((12, 8, 8), np.uint8))).size
    (102, 22)
    """
    level_NHWC = images.level_NHWC
    N, H, W, C = level_NHWC.shape
    if not 1 <= N <= _MOST_ON_A_SHEET:
        raise DataError(
            f"a sheet must show from 1 to {_MOST_ON_A_SHEET:,} images, however: {N:,}; write .npz or a folder"
        )
    gap = 0 if N == 1 else 2
    columns = columns or (N if N <= 10 else 10 if N <= 100 else math.ceil(math.sqrt(N)))
    rows = -(-N // columns)
    page = np.full((rows * (H + gap) + gap, columns * (W + gap) + gap, C), 128, np.uint8)
    for n, level_HWC in enumerate(level_NHWC):
        top, left = gap + n // columns * (H + gap), gap + n % columns * (W + gap)
        page[top : top + H, left : left + W] = level_HWC
    return Image.fromarray(page[:, :, 0] if C == 1 else page)
