"""One picture file to an array of 8-bit levels, by Pillow: grey or colour, upright, brought to a size if one is asked.

What is done to a picture so that pictures are alike: 16-bit grey becomes 8-bit; a palette, CMYK and the like become
RGB; what is transparent is laid on white; the orientation that a camera noted is applied.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from synthloom.errors import FileError

__all__ = ["PICTURES", "Frame", "Header", "framed", "header", "nats_of_png", "read_picture"]

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm")

_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_MOST_PIXELS = 100_000_000
_GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N"}
_COLOUR = {"P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV"}
_TURNED = (5, 6, 7, 8)
"""Values of the orientation tag for pictures that lie on their side."""


@dataclass(frozen=True)
class Frame:
    """What pictures are brought to: height and width, channels (1 grey, 3 colour), each None for as they are.

    "crop" scales a picture until it covers the frame and cuts its middle out; "pad" until it fits in, on black;
    "stretch" changes its proportions.
    """

    size: tuple[int, int] | None = None
    channels: int | None = None
    how: Literal["crop", "pad", "stretch"] = "crop"


@dataclass(frozen=True)
class Header:
    """What is known of a picture before its pixels are."""

    size: tuple[int, int]  # height, width
    channels: int


def header(path: Path) -> Header:
    """The size and the channels of a picture, without unpacking it."""
    with _opened(path) as image:
        width, height = image.size
        if image.getexif().get(0x0112) in _TURNED:
            width, height = height, width
        return Header((height, width), 1 if _is_grey(image) else 3)


def read_picture(path: Path, frame: Frame) -> NDArray[np.uint8]:
    """The picture as levels [H, W, C]."""
    with _opened(path) as image:
        return framed(_plain(path, ImageOps.exif_transpose(image)), frame)


def framed(image: Image.Image, frame: Frame) -> NDArray[np.uint8]:
    """A picture of mode L or RGB, brought to the frame [H, W, C]."""
    if frame.channels is not None:
        image = image.convert("L" if frame.channels == 1 else "RGB")
    if frame.size is not None and frame.size != (image.height, image.width):
        box = frame.size[1], frame.size[0]
        if frame.how == "stretch":
            image = image.resize(box, Image.Resampling.LANCZOS)
        else:
            image = (ImageOps.fit if frame.how == "crop" else ImageOps.pad)(image, box, Image.Resampling.LANCZOS)
    level: NDArray[np.uint8] = np.asarray(image)
    return level if level.ndim == 3 else level[:, :, None]


def nats_of_png(level_HWC: NDArray[np.uint8]) -> float:
    """What a picture takes as a PNG file; of one that is black and white, each pixel is a bit.

    >>> nats_of_png(np.zeros((28, 28, 1), np.uint8)) < nats_of_png(np.arange(784, dtype=np.uint8).reshape(28, 28, 1))
    True
    """
    plain: NDArray[Any] = level_HWC[:, :, 0] if level_HWC.shape[2] == 1 else level_HWC
    if plain.ndim == 2 and np.isin(plain, (0, 255)).all():
        plain = plain > 0
    file = BytesIO()
    Image.fromarray(plain).save(file, "PNG")
    return 8 * math.log(2) * file.tell()


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow warns of is refused below, or is no matter
            with Image.open(path, formats=_FORMATS) as image:
                _assert_usable(path, image)
                yield image
    except FileError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"there is no file {path}; look for a slip in the name") from error
    except Exception as error:  # decoders of foreign bytes fail in any way they like
        why = " ".join(str(error).split()).replace(str(path), "it")
        raise FileError(f"{path} must be a whole picture, however: {why}; save it again, or take it away") from error


def _assert_usable(path: Path, image: Image.Image) -> None:
    if image.width * image.height > _MOST_PIXELS:
        raise FileError(
            f"a picture must have at most {_MOST_PIXELS:,} pixels, however: {path} has {image.width} x {image.height}; "
            f"make it smaller"
        )
    if image.mode not in _GREY | _COLOUR:
        raise FileError(
            f"a picture must be grey or in colour, 8 or 16 bits deep, however: {path} is of mode {image.mode}; save it "
            f"as RGB"
        )
    if getattr(image, "n_frames", 1) > 1:
        raise FileError(
            f"a picture must be a single one, however: {path} has {getattr(image, 'n_frames', 1)} frames; save one"
        )


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P":
        return bool(np.ptp(np.array(image.getpalette() or [0, 0, 0]).reshape(-1, 3), axis=1).max() == 0)
    return image.mode in _GREY


def _plain(path: Path, image: Image.Image) -> Image.Image:
    """The picture in mode L or RGB."""
    mode = "L" if _is_grey(image) else "RGB"
    if image.mode.startswith("I"):
        level = np.asarray(image)
        if level.min(initial=0) < 0 or level.max(initial=0) > 65_535:
            raise FileError(f"grey levels must fit into 16 bits, however: those of {path} do not; save it as 8-bit")
        return Image.fromarray(np.round(level / 257).astype(np.uint8))
    if image.has_transparency_data:
        seen: Any = image.convert("RGBA")
        white = Image.new("RGBA", seen.size, "white")
        image = Image.alpha_composite(white, seen)
    return image.convert(mode)
