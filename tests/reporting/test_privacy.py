"""What may be handed out, rows, model file and the shareable report, must not hold: values of single records, rare
values, identifiers, texts."""

import json
import re

import numpy as np
import pandas as pd
import pytest

import synthloom as sl
from synthloom.metrics import METRICS
from synthloom.reporting import FORMS, gather

N = 20_000
SECRETS = ("rarity", "hermitage", "98765432", "98765400", "98,765,432", "1871-", "said that all")


def secrets_in(text):
    """Identifiers that are made anew look like the real ones, and are others."""
    found = {secret for secret in SECRETS if secret in text}
    return found | {name for name in re.findall(r"pid\d{5}x", text) if int(name[3:8]) < 1_000}


@pytest.fixture(scope="module")
def secrets():
    """A table of which almost every row has something that only it has."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "patient": [f"pid{i:05}x" if i < 1_000 else None for i in range(N)],
            "diagnosis": [f"rarity{i:05}y" for i in range(N)],
            "ward": np.where(np.arange(N) < 3, "hermitage", rng.choice(["north", "south"], N)),
            "income": np.where(np.arange(N) == 7, 98_765_432.0, rng.normal(3_000, 500, N).round()),
            "born": np.where(np.arange(N) == 9, "1871-03-05", rng.choice(["1980-01-01", "1990-06-15"], N)),
            "note": [f"the patient of room {i} said that all was well today" for i in range(N)],
        }
    )


@pytest.fixture
def written(secrets, quick):
    """Every form of a report on a table of which the synthetic one is a copy."""

    def write(rows=N, **options):
        real = secrets.head(rows)
        facts = gather(real, real.copy(), real.sample(500, random_state=0), progress=False, **options)
        return {ending: form(facts) for ending, form in FORMS.items()}

    return write


@pytest.mark.parametrize("roles", [None, {"categorical": ["patient", "diagnosis"]}])
def test_identifiers_and_one_row_categories_are_in_no_form_of_the_report(written, roles, quick):
    for ending, text in written(columns=roles).items():
        assert not secrets_in(text), ending
        for secret in ("9.876", "1871", "pid0"):
            assert secret not in text, (ending, secret)


@pytest.fixture(scope="module")
def handed_out(secrets, tmp_path_factory):
    """The secrets in rows and file of a model of that table; the rows, and the model."""

    def make(**knobs):
        sizes = {"embedding_dim": 4, "compress_dims": (8,), "decompress_dims": (8,)}
        table = sl.TableSynthesizer(
            "tvae", seed=0, schema={"diagnosis": "category"}, epochs=1, batch_size=2_000, **sizes, **knobs
        ).fit(secrets, progress=False)
        path = tmp_path_factory.mktemp("model") / "secrets.loom"
        table.save(path)
        rows = table.sample(2_000, seed=1)
        file = path.read_bytes().decode("latin-1")  # entries are stored as they are
        return secrets_in(rows.to_csv()), secrets_in(file), rows, table

    return make


def test_neither_rows_nor_model_nor_their_report_hold_a_secret(handed_out, secrets, quick):
    in_rows, in_file, rows, table = handed_out()
    assert in_rows == in_file == set()
    facts = gather(secrets, rows, secrets.sample(500, random_state=0), model=table, progress=False)
    assert {ending: secrets_in(form(facts)) for ending, form in FORMS.items()} == {ending: set() for ending in FORMS}


def test_without_protection_they_are_found(handed_out):
    in_rows, in_file, *_ = handed_out(protect=False)
    assert in_rows == {"rarity"}
    assert in_file >= {"rarity", "hermitage"}


@pytest.mark.parametrize("epsilon", [1.0, 0.1])
def test_a_private_model_holds_none_even_without_protection(handed_out, epsilon):
    pytest.importorskip("opacus")
    in_rows, in_file, *_ = handed_out(epsilon=epsilon, privacy_delta=1e-9, protect=False)
    assert in_rows == in_file == set()


def test_scores_hold_no_secret_either(secrets, monkeypatch):
    from synthloom.evaluation import evaluate

    few = secrets.head(400)
    monkeypatch.setattr("synthloom.evaluation.METRICS", {"table": dict(METRICS["table"])})
    scores = evaluate(few, few.copy(), few.sample(300, random_state=0), columns={"categorical": ["diagnosis"]})
    text = str(scores) + json.dumps(scores.to_dict())
    for secret in ("rarity", "hermitage", "98765432", "1871", "pid0"):
        assert secret not in text


def test_the_full_form_says_that_it_is_not_for_sharing(written):
    text = written(600, shareable=False)[".html"]
    assert "not for sharing" in text
    assert "hermitage" in text
    assert "holds no value of a single record" in written(600)[".html"]


def test_no_fact_is_as_long_as_the_table(secrets, quick):
    facts = gather(secrets.head(600), secrets.head(600), secrets.tail(600), progress=False)

    def lengths(value):
        if isinstance(value, dict):
            return [length for item in value.values() for length in lengths(item)]
        if isinstance(value, list):
            return [len(value), *(length for item in value for length in lengths(item))]
        return [0]

    assert max(lengths(facts)) < 100
