import pytest

from synthloom import datasets
from synthloom.metrics import METRICS, Score
from synthloom.reporting import gather

SLOW = ("detection", "utility", "utility_real")


@pytest.fixture
def quick(monkeypatch):
    """Only the metrics that grow no trees; in place of the others, a reason."""

    def stand_in(name):
        return lambda *_: Score.unavailable(name, "higher", "this is a test")

    metrics = {name: stand_in(name) if name in SLOW else metric for name, metric in METRICS["table"].items()}
    monkeypatch.setattr("synthloom.evaluation.METRICS", {"table": metrics})


class Model:
    """What a report takes from a model."""

    def __init__(self):
        import pandas as pd

        self.info_ = {
            "model": "tvae",
            "seed": 3,
            "parameters": 1234,
            "knobs": {"epochs": 3, "device": "auto"},
            "notes": ["the latent is dead: <b>nothing</b>"],
            "notices": {"ward": "2 rare values stand together"},
        }
        self.history_ = pd.DataFrame(
            {"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.5], "validation_loss": [3.1, float("nan"), 1.9]}
        )


@pytest.fixture
def model():
    return Model()


@pytest.fixture(scope="session")
def facts():
    """All that a report can hold."""
    trio = (datasets.visits(400, seed=seed) for seed in range(3))
    return gather(*trio, target="readmitted", model=Model(), progress=False)
