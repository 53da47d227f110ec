"""The image codec: what goes in comes out, labels of few images do not, and other sizes are refused."""

import json

import numpy as np
import pytest
import torch

from synthloom.codecs.image import ImageCodec, Options
from synthloom.errors import DataError
from synthloom.spec import ImageBatch, ImageSpec

LEVELS = np.random.default_rng(0).integers(0, 256, (12, 3, 5, 3), dtype=np.uint8)
LABELS = [1] * 6 + [0] * 5 + [7]


def test_decoding_undoes_encoding_and_pixels_are_levels_over_255():
    codec = ImageCodec(Options())
    batch = codec.learn(LEVELS, LABELS)
    assert codec.spec == ImageSpec(3, 5, 3, 2)
    assert (codec.decode(batch) == LEVELS).all()
    assert codec.decode_labels(batch) == [1] * 6 + [0] * 5 + [None]  # protection: one image is too few for a label
    assert torch.equal(batch.pixel_BCHW, torch.from_numpy(LEVELS).permute(0, 3, 1, 2) / 255)
    drawn = ImageBatch.of(batch.pixel_BCHW.permute(0, 2, 3, 1), batch.label_B)  # as a network draws them
    assert (codec.decode(drawn) == LEVELS).all()


def test_all_labels_are_learnt_without_protection_and_others_stay_open():
    codec = ImageCodec(Options(protect=False))
    batch = codec.learn(LEVELS, LABELS)
    assert codec.decode_labels(batch) == LABELS
    assert codec.encode(LEVELS[:3], [7, 8, None]).label_B.tolist() == [2, -1, -1]
    assert codec.encode(LEVELS[:1]).label_B.tolist() == [-1]


def test_a_batch_takes_joins_and_moves_without_copying_the_store():
    batch = ImageCodec(Options()).learn(LEVELS, LABELS)
    some = batch.take(torch.tensor([4, 2])).take(torch.tensor([1, 0]))
    assert some.store_SHWC.data_ptr() == batch.store_SHWC.data_ptr()
    assert torch.equal(some.pixel_BCHW, batch.pixel_BCHW[[2, 4]])
    moved = some.to(torch.device("cpu"))
    assert len(moved.store_SHWC) == 2
    both = ImageBatch.cat([moved, batch])
    assert torch.equal(both.pixel_BCHW, torch.cat([some.pixel_BCHW, batch.pixel_BCHW]))
    assert both.label_B.tolist() == [*some.label_B.tolist(), *batch.label_B.tolist()]


def test_the_state_is_json_and_makes_the_same_codec():
    codec = ImageCodec(Options())
    codec.learn(LEVELS, LABELS)
    again = ImageCodec.load(json.loads(json.dumps(codec.state())))
    assert (again.spec, again.labels_, again.options) == (codec.spec, codec.labels_, codec.options)


def test_other_sizes_and_labels_that_cannot_be_kept_are_refused():
    codec = ImageCodec(Options())
    codec.learn(LEVELS)
    with pytest.raises(DataError, match=r"3 x 5 in colour.*3 x 5 in grey"):
        codec.encode(LEVELS[..., :1])
    with pytest.raises(DataError, match="label"):
        codec.learn(LEVELS, [0.5] * 12)
    with pytest.raises(DataError, match="at least one"):
        codec.learn(LEVELS[:0])


def test_what_is_mapped_into_memory_is_not_read(tmp_path):
    np.save(tmp_path / "a.npy", LEVELS)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    batch = ImageCodec(Options()).learn(mapped)
    assert batch.store_SHWC.data_ptr() == mapped.ctypes.data
