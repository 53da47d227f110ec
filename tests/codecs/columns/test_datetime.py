"""Moments: to the tick, in their zone, and as they were written."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthloom.codecs.columns import Options
from synthloom.codecs.columns.datetime import FORMATS
from synthloom.codecs.table import TableCodec
from synthloom.errors import DataError
from synthloom.spec import TableBatch

WHEN = pd.Series(
    pd.Timestamp("2021-03-27 22:00") + pd.to_timedelta(np.random.default_rng(0).integers(0, 900, 400), unit="h")
)


def draw(codec, rows=500):
    torch.manual_seed(0)
    (block,) = codec.spec.blocks
    choice = torch.randint(block.choices, (rows, 1))
    return codec.decode(TableBatch(choice, torch.randn(rows, 1), torch.ones(rows, 1, dtype=torch.bool)))["x"]


def codec_of(column, protect=False, **said):
    return TableCodec(Options(protect=protect), schema={"x": said} if said else None).fit(pd.DataFrame({"x": column}))


@pytest.mark.parametrize("form", FORMATS)
def test_every_known_way_to_write_a_moment(form):
    text = WHEN.dt.strftime(form)
    said = {"type": "datetime"} if form == "%Y%m%d" else {}
    codec = codec_of(text, **said)
    assert codec.schema_["x"].type == "datetime"
    assert codec.decode(codec.encode(pd.DataFrame({"x": text})))["x"].tolist() == text.tolist()
    for cell in draw(codec, 50):
        assert dt.datetime.strptime(cell, form).strftime(form) == cell


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Europe/Paris", "America/St_Johns"])
def test_days_stay_days_in_zones_without_a_summer_time_and_clock_hours_elsewhere(zone):
    days = pd.Series(pd.date_range("2021-01-01", periods=300, tz=zone))
    codec = codec_of(days)
    assert codec.decode(codec.encode(pd.DataFrame({"x": days})))["x"].tolist() == days.tolist()
    drawn = draw(codec)
    assert drawn.dt.minute.eq(0).all()
    if zone == "Asia/Tokyo":
        assert drawn.dt.hour.eq(0).all()


@pytest.mark.parametrize(("step", "unit"), [(86_400, "D"), (3_600, "h"), (60, "min"), (1, "s")])
def test_drawn_moments_are_no_finer_than_the_real_ones(step, unit):
    column = pd.Series(pd.Timestamp("1969-12-30 00:00:07") + pd.to_timedelta(np.arange(0, 800, 2) % 97, unit=unit))
    drawn = draw(codec_of(column))
    assert (((drawn - column.min()) // pd.Timedelta(1, "s")) % step == 0).all()
    assert drawn.min() >= column.min()
    assert drawn.max() <= column.max()


def test_the_widest_range_of_all():
    column = pd.Series(np.array([-(2**63) + 1, 0, 2**63 - 1] * 10).view("datetime64[ns]"))
    codec = codec_of(column)
    out = codec.decode(codec.encode(pd.DataFrame({"x": column})))["x"]
    assert (out - column).abs().max() < pd.Timedelta("2us")  # float64 has no more digits
    old = pd.Series([dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(1582, 10, 15)] * 10, dtype=object)
    codec = codec_of(old)
    assert codec.decode(codec.encode(pd.DataFrame({"x": old})))["x"].tolist() == old.tolist()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1)), min_size=2, max_size=20))
def test_whole_seconds_come_back(moments):
    column = pd.Series([m.replace(microsecond=0) for m in moments]).astype("datetime64[s]")
    codec = codec_of(column)
    assert codec.decode(codec.encode(pd.DataFrame({"x": column})))["x"].tolist() == column.tolist()


@pytest.mark.parametrize(
    "cells", [["2024-1-5", "2024-11-5"], ["20240105", "20241105"], ["2024-01-05", "soon"], ["12.5", "7.25"]]
)
def test_what_does_not_write_back_to_the_letter_is_text(cells):
    assert codec_of(pd.Series(cells * 20)).schema_["x"].type in ("category", "number")


def test_a_format_can_be_said():
    text = pd.Series([f"{month:02d}/0{1 + month % 9}/2020" for month in range(1, 13)] * 3)
    assert codec_of(text).schema_["x"].facts == {"form": "%d/%m/%Y"}
    codec = codec_of(text, type="datetime", form="%m/%d/%Y")
    assert codec.decode(codec.encode(pd.DataFrame({"x": text})))["x"].tolist() == text.tolist()
    with pytest.raises(DataError, match='say which with "form"'):
        codec_of(pd.Series(["5th of May", "6th of May"] * 10), type="datetime")
