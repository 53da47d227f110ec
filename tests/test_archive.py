import hashlib
import io
import json
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthloom import archive
from synthloom.errors import FileError, ModelFileError

DOCUMENTS = {
    "info": {"kind": "table", "names": ["ä", "\ud800", "</script>"]},
    "codec": {"columns": [1, 2.5, None, True]},
}
TENSORS = {
    "network": {
        "weight": torch.arange(6.0).reshape(2, 3),
        "steps": torch.tensor(3),
        "mask": torch.tensor([True, False]),
    },
    "codec": {"edges": np.linspace(0, 1, 5), "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T},
    "empty": {},
}


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "m.loom"
    archive.write(path, DOCUMENTS, TENSORS)
    return path


def repack(path, change, **options):
    """Write the zip anew with its entries as `change` leaves them, and digests that agree."""
    with zipfile.ZipFile(path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    manifest = json.loads(entries.pop("manifest.json"))
    change(entries, manifest)
    manifest["sha256"] = {name: hashlib.sha256(entry).hexdigest() for name, entry in entries.items()}
    with zipfile.ZipFile(path, "w", **options) as file:
        for name, entry in {"manifest.json": json.dumps(manifest).encode(), **entries}.items():
            file.writestr(name, entry)


def same(found, expected):
    expected = torch.as_tensor(expected)
    return found.dtype == expected.dtype and torch.equal(found, expected)


def test_what_is_written_is_read(model):
    found = archive.read(model)
    assert found.documents == DOCUMENTS
    assert found.tensors.keys() == TENSORS.keys()
    for name, group in TENSORS.items():
        assert found.tensors[name].keys() == group.keys()
        assert all(same(found.tensors[name][key], value) for key, value in group.items())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=25)
@given(JSON)
def test_any_json_survives(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "m.loom"
    archive.write(path, {"value": value}, {})
    assert archive.read(path).documents["value"] == value


def test_the_same_content_gives_the_same_bytes(model, tmp_path):
    def turned(mapping):
        return dict(reversed([(k, turned(v) if isinstance(v, dict) else v) for k, v in mapping.items()]))

    archive.write(tmp_path / "again.loom", turned(DOCUMENTS), turned(TENSORS))
    assert (tmp_path / "again.loom").read_bytes() == model.read_bytes()


def test_a_person_can_read_it(model):
    with zipfile.ZipFile(model) as file:
        assert file.namelist()[0] == "manifest.json"
        assert file.read("info.json").decode().splitlines()[:2] == ["{", ' "kind": "table",']
        assert "ä" in file.read("info.json").decode()
        assert json.loads(file.read("manifest.json"))["format"] == archive.FORMAT
        assert safetensors.numpy.load(file.read("network.safetensors"))["steps"] == 3


def test_weights_that_share_memory_are_written_each(tmp_path):
    weight = torch.ones(2, 2)
    archive.write(tmp_path / "m.loom", {}, {"network": {"a": weight, "b": weight, "c": weight.T, "d": weight[0]}})
    found = archive.read(tmp_path / "m.loom").tensors["network"]
    assert {key: tuple(value.shape) for key, value in found.items()} == {
        "a": (2, 2),
        "b": (2, 2),
        "c": (2, 2),
        "d": (2,),
    }


# -- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_weights_must_be_finite(model, bad, dtype):
    group = {"fine": np.ones(3), "odd": np.array([0, bad], dtype)}
    before = model.read_bytes()
    with pytest.raises(ModelFileError, match="network: odd is not"):
        archive.write(model, {}, {"network": group})
    with pytest.raises(ModelFileError, match="network: odd is not"):
        archive.write(model, {}, {"network": {"odd": torch.as_tensor(group["odd"])}})
    assert model.read_bytes() == before
    repack(model, lambda entries, _: entries.update({"network.safetensors": safetensors.numpy.save(group)}))
    with pytest.raises(ModelFileError, match=r"network\.safetensors, odd holds NaN or infinity"):
        archive.read(model)


def nested(depth):
    value = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [np.nan, [np.inf], nested(100), nested(100_000), "x" * (1 << 24)])
def test_documents_that_could_not_be_read_are_not_written(tmp_path, value):
    with pytest.raises(ModelFileError, match=r"m\.loom, info"):
        archive.write(tmp_path / "m.loom", {"info": value}, {})
    assert not list(tmp_path.iterdir())


def test_too_many_tensors_are_not_written(tmp_path):
    with pytest.raises(ModelFileError, match="at most 10000 tensors"):
        archive.write(tmp_path / "m.loom", {}, {"network": {f"w{i}": np.zeros(1) for i in range(10_001)}})


def header(size, text=b""):
    return struct.pack("<Q", size) + text


def many(count):
    return safetensors.numpy.save({f"{i:x}": np.zeros(0) for i in range(count)})


ENTRIES = {
    "a document of NaN": ("info.json", b'{"kind": NaN}', "the number NaN"),
    "a document of infinity": ("info.json", b"[-Infinity]", "the number -Infinity"),
    "a number that overflows": ("info.json", b"[1e999]", "the number 1e999"),
    "a document too deep": ("info.json", b"[" * 70 + b"]" * 70, "deeper than 64"),
    "a document much too deep": ("info.json", b"[" * 100_000 + b"]" * 100_000, "damaged"),
    "a document too large": ("info.json", b'"' + b"x" * (1 << 24) + b'"', "larger than"),
    "no document": ("info.json", b"{'kind': 1}", "damaged"),
    "no text": ("info.json", b'"\xff\xff"', "damaged"),
    "a header too large": ("network.safetensors", header(2 << 30), "header of more than"),
    "a header past the end": ("network.safetensors", header(1 << 20, b"{}"), "damaged"),
    "a million tensors": ("network.safetensors", header(40 << 20, b'{"a":{}}' * 1000), "header of more than"),
    "too many tensors": ("network.safetensors", many(10_001), "more than 10000 tensors"),
    "no tensors": ("network.safetensors", b"", "damaged"),
    "a pickle for tensors": ("network.safetensors", pickle.dumps({"weight": [1.0]}), "damaged|header of more than"),
    "a wrong shape": (
        "network.safetensors",
        header(61, b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}       ') + bytes(4),
        "damaged",
    ),
}


def refused(path, message):
    with pytest.raises(ModelFileError, match=message) as caught:
        archive.read(path)
    assert "\n" not in str(caught.value)
    assert path.name in str(caught.value)


@pytest.mark.parametrize("case", ENTRIES)
def test_hostile_entries_are_refused(model, case):
    name, entry, message = ENTRIES[case]
    repack(model, lambda entries, _: entries.update({name: entry}))
    refused(model, message)


@pytest.mark.parametrize(
    "name", ["../m.json", "a/b.json", "/etc/m.json", "C:\\m.json", "x.pkl", "x", ".json", "a..b.json"]
)
def test_names_that_are_paths_are_refused(model, name):
    repack(model, lambda entries, _: entries.update({name: b"{}"}))
    refused(model, "must be a file that synthloom wrote")


def test_a_newer_format_is_named(model):
    repack(model, lambda _, manifest: manifest.update(format=3))
    refused(model, r"was written by format 3, this synthloom reads up to 1: update synthloom$")


@pytest.mark.parametrize("number", [None, "1", 0, -1, 1.0, True])
def test_a_format_is_a_whole_number(model, number):
    repack(model, lambda _, manifest: manifest.update(format=number))
    refused(model, "no format number")


def test_a_changed_entry_is_named(model):
    with zipfile.ZipFile(model) as file:
        entries = {about: file.read(about) for about in file.infolist()}
    with zipfile.ZipFile(model, "w") as file:
        for about, entry in entries.items():
            file.writestr(about, entry.replace(b'"table"', b'"image"'))
    refused(model, r"info\.json is not as it was written")


def test_compressed_entries_are_refused(model):
    repack(model, lambda entries, _: entries.update({"info.json": b" " * (1 << 23)}), compression=zipfile.ZIP_DEFLATED)
    refused(model, "compressed")


def test_an_entry_more_or_less_is_refused(model):
    with zipfile.ZipFile(model, "a") as file:
        file.writestr("more.json", "{}")
    refused(model, "not those that manifest.json names")


def test_thousands_of_entries_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "m.loom", "w") as file:
        for i in range(5000):
            file.writestr(f"{i}.json", b"{}")
    refused(tmp_path / "m.loom", "more than 64 entries")


def _zip_of(name, content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive_:
        archive_.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        random.Random(0).randbytes(100_000),
        pickle.dumps({"kind": "table"}),
        _zip_of("archive/data.pkl", pickle.dumps(1)),  # what torch.save writes
        _zip_of("manifest.json", b"[]"),
        _zip_of("manifest.json", b'{"format": 1}'),
        _zip_of("manifest.json", b'{"format": 1, "sha256": 3}'),
        b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + bytes(18),
    ],
    ids=lambda content: f"{len(content)} bytes {content[:8]!r}",
)
def test_foreign_files_are_refused(tmp_path, content):
    (tmp_path / "m.loom").write_bytes(content)
    refused(tmp_path / "m.loom", "must be a file that synthloom wrote|is damaged")


def test_a_huge_file_is_refused_unread(tmp_path):
    with (tmp_path / "m.loom").open("wb") as file:
        file.truncate(3 << 30)  # sparse: takes no disk
    refused(tmp_path / "m.loom", "larger than")


def test_a_cut_or_a_flipped_byte_is_noticed(model):
    whole = model.read_bytes()
    for size in range(0, len(whole), 101):
        model.write_bytes(whole[:size])
        refused(model, "must be a file that synthloom wrote|is damaged")
    contents = sum(
        len(about.filename) + 30 + about.file_size for about in zipfile.ZipFile(io.BytesIO(whole)).infolist()
    )
    for place in range(40, contents, 53):
        model.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = archive.read(model)
        except ModelFileError:
            continue
        assert found.documents == DOCUMENTS  # a field of the zip that says nothing about the content


def test_a_missing_file_or_folder_is_said(tmp_path):
    with pytest.raises(ModelFileError, match="there is no model file"):
        archive.read(tmp_path / "m.loom")
    with pytest.raises(ModelFileError, match="cannot read"):
        archive.read(tmp_path)
    with pytest.raises(FileError, match="folder of an output file must exist"):
        archive.write(tmp_path / "no" / "m.loom", {}, {})


# -- whole or not at all ----------------------------------------------------------------------------------------------

WRITER = """
import sys, torch
from synthloom import archive
for step in range(10**9):
    archive.write(sys.argv[1], {"step": step}, {"network": {"weight": torch.full((300, 300), float(step))}})
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_killed_at_any_moment_the_file_is_whole(tmp_path):
    path = tmp_path / "m.loom"
    for attempt in range(2):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
        while not path.exists():
            time.sleep(0.01)
        time.sleep(0.05 * attempt)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found = archive.read(path)
        assert (found.tensors["network"]["weight"] == found.documents["step"]).all()
        archive.write(path, {}, {})
        assert list(tmp_path.iterdir()) == [path]
        path.unlink()
