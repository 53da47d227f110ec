"""A small model that parts are made from."""

from types import SimpleNamespace

import pytest

import synthloom as sl


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A table model with shards of 10,000 rows, and its file."""
    path = tmp_path_factory.mktemp("scale") / "visits.loom"
    table = sl.TableSynthesizer("tvae", seed=0, epochs=2, batch_size=100, embedding_dim=4)
    table.fit(sl.datasets.visits(300, seed=0)).save(path)
    return SimpleNamespace(path=path, table=table)
