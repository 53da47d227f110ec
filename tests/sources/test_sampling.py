"""A uniform sample of rows: the same from any parts, each row as likely as any other, sketches within their bound."""

import math

import numpy as np
import pandas as pd
import pytest

from synthloom.sources import RowSample, evenly

N, MOST = 20_000, 500
TABLE = pd.DataFrame({"n": np.arange(N), "word": pd.Series(np.arange(N) % 7).map(str)})


def drawn(cuts, seed=0, most=MOST):
    sample = RowSample(most, seed)
    for start, stop in zip([0, *cuts], [*cuts, N], strict=True):
        sample.add(TABLE[start:stop])
    return sample.frame()


@pytest.mark.parametrize("cuts", [[1], [0, 5, 5, 19_999], list(range(100, N, 100))], ids=["two", "odd", "many"])
def test_the_parts_leave_no_trace(cuts):
    pd.testing.assert_frame_equal(drawn(cuts), drawn([]))


def test_a_small_table_is_all_there():
    pd.testing.assert_frame_equal(drawn([7, 9_000], most=N), TABLE)
    assert len(drawn([7, 9_000], most=N - 1)) == N - 1


def test_rows_are_drawn_evenly_and_by_the_seed():
    bound = math.sqrt(math.log(2 / 1e-6) / (2 * MOST))  # of the distance of two distribution functions
    for seed in range(5):
        own = drawn([3_000], seed)["n"].to_numpy()
        assert (np.diff(own) > 0).all()
        assert np.abs(own / N - np.arange(MOST) / MOST).max() < bound
    assert not drawn([], 0).equals(drawn([], 1))


def test_even_frames_are_the_table():
    for step in (1, 64, 30_000):
        frames = list(evenly((TABLE[i : i + 777] for i in range(0, N, 777)), step * 100))
        assert {len(frame) for frame in frames[:-1]} <= {step * 100}
        pd.testing.assert_frame_equal(pd.concat(frames, ignore_index=True), TABLE)
