"""A whole fit within a budget: what it says of itself, what it refuses, and that a resumed one spends no more."""

import json

import pytest

import synthloom as sl
from synthloom import training
from synthloom.errors import ModelFileError, UsageError
from synthloom.training import Interrupted

pytest.importorskip("opacus")

ROWS = sl.datasets.visits(600, seed=0).drop(columns=["patient_id"])
QUICK = {
    "tvae": {"epochs": 2, "batch_size": 200, "compress_dims": (8,), "decompress_dims": (8,), "embedding_dim": 4},
    "nvae": {"epochs": 2, "batch_size": 200, "width": 8},
}


class StopAt:
    """Ctrl-C in the middle of training."""

    def __init__(self, step):
        self.step = step

    def start(self, info):
        self.begun = info["step"]

    def log(self, step, scalars):
        if step >= self.step:
            raise KeyboardInterrupt

    def close(self):
        pass


@pytest.mark.parametrize("name", sorted(QUICK))
def test_a_fit_stays_within_its_budget_and_says_so_in_the_file(name, tmp_path):
    table = sl.TableSynthesizer(name, seed=0, epsilon=3.0, **QUICK[name]).fit(ROWS)
    table.save(tmp_path / "private.loom")
    told = sl.load(tmp_path / "private.loom").info_["privacy"]
    assert 0.95 * 3.0 < told["spent"] <= 3.0
    assert told["delta"] < 1 / 600
    assert table.info_["items"] == pytest.approx(600, abs=120)
    assert [q["times"] for q in told["questions"]][-1] == 2 * -(-table.info_["items"] // 200)
    drawn = table.sample(100, seed=1)
    assert list(drawn.dtypes) == list(ROWS.dtypes)


def test_noise_is_new_every_time_even_from_the_same_seed():
    one, two = (sl.TableSynthesizer("tvae", seed=0, epsilon=3.0, **QUICK["tvae"]).fit(ROWS) for _ in range(2))
    assert not one.sample(50, seed=1).equals(two.sample(50, seed=1))


def test_a_resumed_fit_asks_nothing_twice_and_spends_no_more(tmp_path):
    path = tmp_path / "run.checkpoint"
    table = sl.TableSynthesizer("tvae", epsilon=3.0, **QUICK["tvae"] | {"epochs": 8})
    with pytest.raises(Interrupted):
        table.fit(ROWS, checkpoint=path, checkpoint_seconds=0, trackers=[StopAt(10)])
    early = table.info_["privacy"]
    assert early["spent"] < 3.0
    memo = training.checkpoint_memo(path)
    codec = table.codec_.state()[0]
    table.fit(ROWS, checkpoint=path, resume=True)
    assert training.checkpoint_memo(path) == memo
    assert table.codec_.state()[0] == codec
    told = table.info_["privacy"]
    assert told["questions"][:-1] == early["questions"][:-1]
    assert told["questions"][-1]["times"] == memo["steps"]
    assert early["spent"] < told["spent"] <= 3.0
    assert table.info_["seed"] != memo["secret"]
    table.save(tmp_path / "run.loom")
    assert str(memo["secret"]).encode() not in (tmp_path / "run.loom").read_bytes()


def test_another_budget_cannot_go_on_with_the_same_checkpoint(tmp_path):
    path = tmp_path / "run.checkpoint"
    knobs = QUICK["tvae"]
    with pytest.raises(Interrupted):
        sl.TableSynthesizer("tvae", seed=0, epsilon=3.0, **knobs).fit(
            ROWS, checkpoint=path, checkpoint_seconds=0, trackers=[StopAt(1)]
        )
    longer = sl.TableSynthesizer("tvae", seed=0, epsilon=3.0, **knobs | {"clip": 0.5})
    with pytest.raises(ModelFileError, match="clip"):
        longer.fit(ROWS, checkpoint=path, resume=True)


@pytest.mark.parametrize(
    "knobs",
    [{"validation": 0.1}, {"patience": 3}, {"prior": "mixture"}, {"codec": "gmm"}, {"clip": None}, {"epsilon": 0}],
    ids=lambda knobs: next(iter(knobs)),
)
def test_what_would_look_at_the_rows_beside_the_account_is_refused(knobs):
    with pytest.raises(UsageError, match=next(iter(knobs))):
        sl.TableSynthesizer("nvae", **{"epsilon": 1.0} | knobs)


def test_without_epsilon_nothing_of_this_is_said():
    table = sl.TableSynthesizer("tvae", seed=0, epochs=1).fit(ROWS.head(60))
    assert "privacy" not in table.info_
    assert "questions" not in json.dumps(table.info_)
