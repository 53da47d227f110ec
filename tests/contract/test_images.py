"""What holds for every model of images, besides what holds for every model."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import synthloom as sl
from synthloom.cli import main
from synthloom.errors import DataError, UsageError
from synthloom.models import MODELS
from synthloom.sources import Images, read_images, write_images

LEVELS, LABELS = sl.datasets.shapes(120, seed=0, size=8)
KNOBS = {"seed": 0, "epochs": 4, "batch_size": 20, "width": 8, "size": 4, "prior": "mixture"}


@pytest.fixture(scope="module", params=[name for kind, name in MODELS if kind == "image"])
def fitted(request):
    return sl.ImageSynthesizer(request.param, **KNOBS).fit(LEVELS, labels=LABELS)


def test_samples_are_images_of_the_size_with_the_labels_of_training(fitted):
    fake = fitted.sample(300, seed=0)
    assert fake.shape == (300, 8, 8)
    assert fake.dtype == np.uint8
    shares = {name: fake.labels.count(name) / 300 for name in ("disc", "square", "cross")}
    assert all(abs(share - LABELS.count(name) / 120) < 0.12 for name, share in shares.items())
    assert fitted.sample(0).shape == (0, 8, 8)


def test_a_label_that_is_asked_for_is_had_and_another_refused(fitted):
    assert set(fitted.sample(5, label="cross", seed=0).labels) == {"cross"}
    with pytest.raises(UsageError, match="'star'"):
        fitted.sample(1, label="star")


def test_pixels_are_expected_or_drawn(fitted):
    expected, drawn = (np.asarray(fitted.sample(50, pixels=p, seed=0)).astype(float) for p in ("expected", "drawn"))
    assert np.abs(expected - drawn).mean() > 0.5
    with pytest.raises(UsageError, match="pixels"):
        fitted.sample(1, pixels="sharp")


def test_images_keep_their_labels_through_the_verbs(fitted):
    few = Images(LEVELS[:3], LABELS[:3])
    assert fitted.reconstruct(few).labels == LABELS[:3]
    assert fitted.vary(few, 2, 0.5, seed=0).labels == [label for label in LABELS[:3] for _ in range(2)]


def test_other_sizes_are_brought_to_that_of_the_model(fitted):
    large, _ = sl.datasets.shapes(3, seed=0, size=20)
    assert fitted.reconstruct(large).shape == (3, 8, 8)
    assert fitted.encode(Image.new("RGB", (30, 12))).shape[0] == 1


def test_the_weighted_estimate_is_no_lower_than_the_bound(fitted):
    plain = fitted.log_prob(LEVELS[:20], draws=20)
    weighted = fitted.log_prob(LEVELS[:20], draws=20, weighted=True)
    assert weighted.shape == (20,)
    assert weighted.mean() > plain.mean()
    assert (weighted == fitted.log_prob(LEVELS[:20], draws=20, weighted=True)).all()
    assert fitted.log_prob(LEVELS[:0], weighted=True).shape == (0,)


def test_surprise_is_what_an_image_takes_beyond_a_png(fitted):
    noise = np.random.default_rng(0).integers(0, 256, (20, 8, 8), np.uint8)
    scores = fitted.scores(LEVELS[:20])
    assert (scores["surprise"] == fitted.surprise(LEVELS[:20])).all()
    assert (scores["log_prob"] == fitted.log_prob(LEVELS[:20])).all()
    more = -fitted.log_prob(noise).mean() + scores["log_prob"].mean()
    beyond = fitted.surprise(noise).mean() - scores["surprise"].mean()
    assert beyond < more - 50  # noise takes more as a PNG, too
    assert fitted.surprise(LEVELS[:0]).shape == (0,)


def test_inpainting_keeps_what_is_there(fitted):
    missing = np.zeros((8, 8), bool)
    missing[:4] = True
    few = Images(LEVELS[:4], LABELS[:4])
    found = fitted.inpaint(few, missing, rounds=3, pool=5, seed=0)
    assert (np.asarray(found)[:, 4:] == LEVELS[:4, 4:]).all()
    assert found.labels == LABELS[:4]
    hidden = LEVELS[:4].copy()
    hidden[:, :4] = 77  # what stands where pixels are missing
    other = fitted.inpaint(Images(hidden, LABELS[:4]), missing, rounds=3, pool=5, seed=0)
    assert (np.asarray(other) == np.asarray(found)).all()
    with pytest.raises(UsageError, match="missing"):
        fitted.inpaint(few, np.zeros((3, 8, 8), bool))


def test_a_traversal_has_a_row_for_each_number_and_moves(fitted):
    way = fitted.traverse(LEVELS[0], rows=2, steps=3)
    assert way.shape == (6, 8, 8)
    assert (np.asarray(way)[0] != np.asarray(way)[2]).any()


@pytest.mark.parametrize("knobs", [{"likelihood": "bernoulli"}, {"likelihood": "gaussian", "free": 0.5}, {"draws": 2}])
def test_every_likelihood_and_bound_trains_in_colour_without_labels(knobs):
    colour = np.stack([LEVELS, LEVELS // 2, 255 - LEVELS], axis=3)
    image = sl.ImageSynthesizer("conv", **KNOBS | {"warmup": 0, "learning_rate": 5e-3} | knobs).fit(colour)
    fake = image.sample(3, seed=0)
    assert fake.shape == (3, 8, 8, 3)
    assert fake.labels is None
    loss = image.history_["loss"]
    assert loss.iloc[-1] < loss.iloc[0]


def test_images_are_brought_to_a_size_that_is_asked_for(tmp_path):
    write_images(Images(LEVELS[:30]), tmp_path / "in")
    Image.new("L", (20, 11)).save(tmp_path / "in" / "odd.png")
    with pytest.raises(DataError, match="image_size"):
        sl.ImageSynthesizer("conv", **KNOBS).fit(tmp_path / "in")
    image = sl.ImageSynthesizer("conv", image_size=[6, 7], channels=3, **KNOBS).fit(tmp_path / "in")
    assert image.sample(2, seed=0).shape == (2, 6, 7, 3)
    image.save(tmp_path / "m.loom")
    assert main(["reconstruct", str(tmp_path / "m.loom"), str(tmp_path / "in"), "--out", str(tmp_path / "r.npz")]) == 0
    assert read_images(tmp_path / "r.npz").shape == (31, 6, 7, 3)


def test_the_command_line_judges_images(tmp_path, capsys):
    names = [str(tmp_path / f"{name}.npz") for name in ("real", "synthetic", "holdout")]
    for seed, name in enumerate(names):
        write_images(Images(*sl.datasets.shapes(100, seed=seed, size=8)), name)
    assert main(["evaluate", *names[:2], "--holdout", names[2]]) == 0
    assert "frechet_distance" in capsys.readouterr().out
    assert main(["report", *names[:2], "--holdout", names[2], "--out", str(tmp_path / "r.html")]) == 0
    assert "likeness" in capsys.readouterr().out
    assert main(["report", *names[:2], "--target", "x", "--out", str(tmp_path / "x.html")]) == 2
    assert "--target" in capsys.readouterr().err


def test_the_command_line_takes_folders_and_gives_sheets_arrays_and_folders(tmp_path, capsys):
    write_images(Images(LEVELS, LABELS), tmp_path / "in")
    model, data = str(tmp_path / "m.loom"), str(tmp_path / "in")
    sets = [word for name, value in KNOBS.items() if name != "seed" for word in ("--set", f"{name}={value}")]
    assert main(["fit", data, "--out", model, "--seed", "0", *sets]) == 0
    assert "120 images" in capsys.readouterr().err
    for out in ("s.png", "s.npz", "folder"):
        assert main(["sample", model, "--rows", "12", "--out", str(tmp_path / out), "--seed", "1"]) == 0
    again = read_images(tmp_path / "s.npz")
    assert again.shape == (12, 8, 8)
    assert sorted(again.labels) == read_images(tmp_path / "folder").labels
    one = str(tmp_path / "in" / "disc")
    for verb in (["vary", model, one, "--n", "2"], ["reconstruct", model, one]):
        assert main([*verb, "--out", str(tmp_path / f"{verb[0]}.npz")]) == 0
    assert len(read_images(tmp_path / "vary.npz")) == 2 * len(read_images(tmp_path / "reconstruct.npz"))
    walk = ["interpolate", model, "--from", f"{data}:0", "--to", f"{data}:7", "--out", str(tmp_path / "i.png")]
    assert main(walk) == 0
    assert read_images(tmp_path / "i.png").shape == (1, 12, 52)
    assert main(["encode", model, data, "--out", str(tmp_path / "z.npz")]) == 0
    assert np.load(tmp_path / "z.npz")["latent"].shape[0] == 120
    assert main(["score", model, data, "--out", str(tmp_path / "l.csv")]) == 0
    assert pd.read_csv(tmp_path / "l.csv")["log_prob"].notna().all()
    assert main(["info", model]) == 0
    assert "8 x 8" in capsys.readouterr().out
    assert main(["sample", model, "--rows", "2", "--out", str(tmp_path / "x.csv")]) == 2
