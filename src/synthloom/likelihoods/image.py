"""p(image | z), pixel by pixel: three families, all of them probabilities of levels, so that their nats compare.

A network `net(code, label)` makes maps of numbers, K for each channel; the family says what they mean. "bernoulli" is
for pictures of black and white: a grey level is then how often its pixel is white, and training sees it drawn anew each
time ("dynamic") or cut at the middle ("half"). "logistic" and "gaussian" are bells over the 256 levels, cut into as
many bins.

PixelCNN++ (Salimans et al., 2017), https://arxiv.org/abs/1701.05517, for the bins; Simple and Effective VAE Training
with Calibrated Decoders (Rybkin et al., 2021), https://arxiv.org/abs/2006.13202, for one learnt scale.

Legend: B images, K maps of a family, C channels, H height, W width, Y labels.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthloom.spec import ImageBatch, ImageSpec

__all__ = ["FAMILIES", "Bernoulli", "Family", "Gaussian", "ImageDecoder", "ImageLikelihood", "Logistic"]

_HALF = 0.5 / 255
"""Half of the way from one level to the next."""

_OPEN_LABELS = 0.1
"""Share of the labels that training leaves open, so that images without one are known as well."""


class Family(nn.Module, ABC):
    """A distribution of a pixel from 0 to 1, by the K numbers that a network says of it [B, K, C, H, W]."""

    maps: ClassVar[int]

    def seen(self, pixel_BCHW: Tensor) -> Tensor:
        """The pixels that are to be explained: drawn from those that are there, or these themselves."""
        return pixel_BCHW

    @abstractmethod
    def start(self, mean_CHW: Tensor) -> Tensor:
        """Numbers [K, C, H, W] to begin with, for pixels of this mean."""

    @abstractmethod
    def log_prob(self, said_BKCHW: Tensor, pixel_BCHW: Tensor) -> Tensor:
        """Nats of each pixel [B, C, H, W]."""

    @abstractmethod
    def mean(self, said_BKCHW: Tensor) -> Tensor:
        """The pixels that are expected [B, C, H, W]."""

    @abstractmethod
    def draw(self, said_BKCHW: Tensor, temperature: float) -> Tensor:
        """Pixels [B, C, H, W]."""


class Bernoulli(Family):
    """White or black.

    >>> family = Bernoulli(dynamic=False)
    >>> family.log_prob(torch.zeros(1, 1, 1, 1, 1), torch.ones(1, 1, 1, 1)).exp().item()
    0.5
    """

    maps = 1

    def __init__(self, *, dynamic: bool = True) -> None:
        super().__init__()
        self.dynamic = dynamic

    def seen(self, pixel_BCHW: Tensor) -> Tensor:
        threshold = torch.rand_like(pixel_BCHW) if self.dynamic else 0.5  # less than half the time of torch.bernoulli
        return (pixel_BCHW > threshold).to(pixel_BCHW.dtype)

    def start(self, mean_CHW: Tensor) -> Tensor:
        return mean_CHW.clamp(0.001, 0.999).logit()[None]

    def log_prob(self, said_BKCHW: Tensor, pixel_BCHW: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(said_BKCHW[:, 0], pixel_BCHW, reduction="none")

    def mean(self, said_BKCHW: Tensor) -> Tensor:
        return said_BKCHW[:, 0].sigmoid()

    def draw(self, said_BKCHW: Tensor, temperature: float) -> Tensor:
        return torch.bernoulli((said_BKCHW[:, 0] / temperature).sigmoid())


class _Bell(Family):
    """A bell over the levels, by its middle and the log of its width; the outermost bins reach on for ever."""

    def start(self, mean_CHW: Tensor) -> Tensor:
        said_KCHW = mean_CHW.expand(self.maps, -1, -1, -1).clone()
        said_KCHW[1:] = math.log(0.1)
        return said_KCHW

    @abstractmethod
    def log_width(self, said_BKCHW: Tensor) -> Tensor:
        """The log of the width, for each pixel or for all."""

    @staticmethod
    @abstractmethod
    def log_below(x: Tensor) -> Tensor:
        """The log of the share of a bell of width 1 around 0 that lies below x; it is symmetric."""

    @staticmethod
    @abstractmethod
    def noise(like: Tensor) -> Tensor:
        """Draws from that bell."""

    def log_prob(self, said_BKCHW: Tensor, pixel_BCHW: Tensor) -> Tensor:
        # a bin above the middle is turned to below it: the two ends are then small numbers, whose difference is exact
        away_BCHW = -(pixel_BCHW - said_BKCHW[:, 0]).abs()
        inverse = (-self.log_width(said_BKCHW)).exp()
        log_upper_BCHW = self.log_below((away_BCHW + _HALF) * inverse)
        log_lower_BCHW = self.log_below((away_BCHW - _HALF) * inverse)
        apart_BCHW = (log_lower_BCHW - log_upper_BCHW).clamp(max=-1e-6)
        inside_BCHW = log_upper_BCHW + torch.log(-torch.expm1(apart_BCHW))
        # black takes all that lies below it, white all above
        toward_BCHW = torch.where(pixel_BCHW < 0.5, pixel_BCHW - said_BKCHW[:, 0], said_BKCHW[:, 0] - pixel_BCHW)
        beyond_BCHW = self.log_below((toward_BCHW + _HALF) * inverse)
        return torch.where((pixel_BCHW < _HALF) | (pixel_BCHW > 1 - _HALF), beyond_BCHW, inside_BCHW)

    def mean(self, said_BKCHW: Tensor) -> Tensor:
        return said_BKCHW[:, 0].clamp(0, 1)

    def draw(self, said_BKCHW: Tensor, temperature: float) -> Tensor:
        middle_BCHW = said_BKCHW[:, 0]
        drawn_BCHW = middle_BCHW + temperature * self.log_width(said_BKCHW).exp() * self.noise(middle_BCHW)
        return (drawn_BCHW.clamp(0, 1) * 255).round() / 255


class Logistic(_Bell):
    """Logistic bells, each pixel with a width of its own."""

    maps = 2

    def log_width(self, said_BKCHW: Tensor) -> Tensor:
        return said_BKCHW[:, 1].clamp(-7, 2)

    @staticmethod
    def log_below(x: Tensor) -> Tensor:
        return F.logsigmoid(x)

    @staticmethod
    def noise(like: Tensor) -> Tensor:
        return torch.logit(torch.rand_like(like).clamp(1e-5, 1 - 1e-5))


class Gaussian(_Bell):
    """Gaussian bells of one width, which is learnt."""

    maps = 1

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(0.2)))

    def log_width(self, said_BKCHW: Tensor) -> Tensor:
        return self.log_scale.clamp(-7, 2)

    @staticmethod
    def log_below(x: Tensor) -> Tensor:
        log_share: Tensor = torch.special.log_ndtr(x)
        return log_share

    @staticmethod
    def noise(like: Tensor) -> Tensor:
        return torch.randn_like(like)


FAMILIES: dict[str, type[Family]] = {"bernoulli": Bernoulli, "logistic": Logistic, "gaussian": Gaussian}
"""Name -> family."""


class ImageDecoder(nn.Module):
    """A code to the likelihood of an image. `net(code, label_B)` gives maps [B, K * C, H, W]; numbers of each pixel's
    own, which start at the mean image, are added to them."""

    def __init__(self, net: nn.Module, family: Family, spec: ImageSpec) -> None:
        super().__init__()
        self.net, self.family, self.spec = net, family, spec
        self.bias_KCHW = nn.Parameter(torch.zeros(family.maps, spec.channels, spec.height, spec.width))

    def forward(self, code: object) -> ImageLikelihood:
        return ImageLikelihood(self, code)

    def start_at(self, mean_CHW: Tensor) -> None:
        """Begin at the mean image."""
        with torch.no_grad():
            self.bias_KCHW.copy_(self.family.start(mean_CHW))

    def say(self, code: object, label_B: Tensor) -> Tensor:
        """What the family is told of each pixel [B, K, C, H, W]."""
        said_BKCHW: Tensor = self.net(code, label_B).float().unflatten(1, self.bias_KCHW.shape[:2])
        return said_BKCHW + self.bias_KCHW


class ImageLikelihood:
    """A distribution over images for each code."""

    def __init__(self, decoder: ImageDecoder, code: object) -> None:
        self.decoder = decoder
        self.code = code

    def log_prob(self, batch: ImageBatch) -> Tensor:
        """Nats per image [B]; pixels that are not known count nothing."""
        label_B = batch.label_B
        if self.decoder.training:
            label_B = label_B.masked_fill(torch.rand(label_B.shape, device=label_B.device) < _OPEN_LABELS, -1)
        nats_BCHW = self.decoder.family.log_prob(self.decoder.say(self.code, label_B), batch.pixel_BCHW)
        if batch.known_BHW is not None:
            nats_BCHW = nats_BCHW * batch.known_BHW[:, None]
        return nats_BCHW.flatten(1).sum(1)

    @torch.no_grad()
    def draw(self, given: ImageBatch | None = None, temperature: float = 1.0) -> ImageBatch:
        """One image per code; pixels that `given` knows are kept, and so are its labels.

        At temperature 0 a pixel is what is expected of it.
        """
        weight = self.decoder.bias_KCHW
        if given is None:
            given = ImageBatch.blank(torch.full((_items(self.code),), -1, device=weight.device), self.decoder.spec)
        family, said_BKCHW = self.decoder.family, self.decoder.say(self.code, given.label_B)
        pixel_BCHW = family.draw(said_BKCHW, temperature) if temperature else family.mean(said_BKCHW)
        known_BHW = torch.ones_like(pixel_BCHW[:, 0]).bool() if given.known_BHW is None else given.known_BHW
        pixel_BCHW = torch.where(known_BHW[:, None], given.pixel_BCHW, pixel_BCHW)
        return ImageBatch.of(pixel_BCHW.permute(0, 2, 3, 1), given.label_B)


def _items(code: object) -> int:
    return len(code)  # type: ignore[arg-type]
