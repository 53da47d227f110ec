"""From a file to a synthetic file, as a browser would ask for it, with real workers and the tiniest models."""

import gzip
import html
import io
import re
import struct
import time

import numpy as np
import pandas as pd
import pytest

from synthloom import TableSynthesizer, datasets
from synthloom.codecs.columns import COLUMNS
from synthloom.studio.intake import Intake
from synthloom.studio.projects import Projects
from synthloom.studio.web.state import Studio
from synthloom.studio.work.__main__ import act
from synthloom.studio.work.drawing import alike
from synthloom.studio.work.files import parts, shown


@pytest.fixture
def ask(studio, client):
    """Ask for a page of a project, and look that it is one."""

    def get(project, path):
        answer = client.get(f"{studio.base}/p/{project.id}/{path}")
        assert answer.status_code == 200, answer.text
        assert len(answer.content) < 200_000
        return answer.text

    return get


@pytest.fixture
def say(studio, client):
    """Send a form of a project, and say where that leads."""

    def post(project, path, **words):
        answer = client.post(f"{studio.base}/p/{project.id}/{path}", data=words, follow_redirects=False)
        assert answer.status_code == 303, html.unescape(answer.text)
        return answer.headers["location"].rsplit("/", 1)[1]

    return post


def test_a_table_goes_all_the_way(studio, client, upload, until_done, ask, say, visits):
    project = upload([("visits.csv", visits)])
    assert project.job["state"] == "done", project.job
    page = ask(project, "data")
    facts = {column["name"]: column for column in project.load("facts")["columns"]}
    assert facts["ward"]["type"] == "category"
    assert facts["patient_id"]["type"] == "identifier"
    assert all(name in page for name in facts)
    names = list(facts)

    # what is said of columns: one kept out, one to be predicted, one of another type
    roles = {f"role-{names.index('cost')}": "out", f"role-{names.index('readmitted')}": "target"}
    assert say(project, "data", next="1", **roles) == "rules"
    assert "selected" in ask(project, "data")
    rule = {"left": "age", "sign": "<=", "value": "95", "protect": "on", "aside": "on", "epsilon": "", "next": "1"}
    assert say(project, "rules", **rule) == "train"
    assert project.load("settings")["rules"] == ["`age` <= 95"]
    assert "`age` &lt;= 95" in ask(project, "rules")

    # training, watched
    assert say(project, "train", model="tvae", minutes="1", epochs="3", seed="3") == "train"
    assert "data-live" in ask(project, "train") or not project.busy
    until_done(project)
    assert project.job["state"] == "done", project.job
    assert project.load("model")["seed"] == 3
    assert project.load("live")["points"]
    assert client.get(f"{studio.base}/p/{project.id}/train/live").headers["x-studio"] == "over"
    assert "Draw from it" in ask(project, "train")
    assert not project.can_go_on

    # drawing, as asked for
    pickers = {column["name"]: f"c{i}" for i, column in enumerate(project.load("pickers")["columns"])}
    assert "cost" not in pickers
    page = ask(project, "draw")
    assert "surgery" in page
    asked = {pickers["ward"]: ["surgery", "oncology"], f"{pickers['age']}-low": "30", f"{pickers['smoker']}": "False"}
    assert say(project, "draw", n="220", seed="1", **asked) == "result"
    until_done(project)
    assert project.job["state"] == "done", project.job
    page = ask(project, "result")
    assert "Verdict" in page
    assert "ward: surgery, oncology" in page
    assert "Too few real ones are like what you asked for" in page  # of 300

    # what can be taken along is what was asked for
    files = f"{studio.base}/p/{project.id}/files"
    frame = pd.read_csv(io.BytesIO(client.get(f"{files}/synthetic.csv").content))
    same = pd.read_parquet(io.BytesIO(client.get(f"{files}/synthetic.parquet").content))
    assert len(frame) == len(same) == 220
    assert set(frame["ward"]) <= {"surgery", "oncology"}
    assert frame["age"].between(30, 95).all()
    assert not frame["smoker"].any()
    assert "cost" not in frame
    assert client.get(f"{files}/model.loom").content[:2] == b"PK"
    answer = client.get(f"{files}/report.html")
    assert 'filename="visits-report.html"' in answer.headers["content-disposition"]
    report = client.get(f"{studio.base}/p/{project.id}/report")
    assert "sandbox" in report.headers["content-security-policy"]
    assert "readmitted" in report.text

    # the latent: a map, neighbours, a way; and what it cannot answer
    page = ask(project, "latent?row=5&strength=20&to=7&share=2")
    assert page.count("<circle") > 100
    assert "Near it, at 20 %" in page
    assert "2 of 8 on the way" in page
    assert "there is no 99999" in ask(project, "latent/neighbours?row=99999")
    studio.explorer.close()

    # a restart finds all of it; deleting leaves nothing
    again = Studio(Projects(studio.projects.folder), studio.hosts)
    assert [p.card["name"] for p in again.projects] == ["visits.csv"]
    assert "Delete visits.csv?" in ask(project, "delete")
    client.post(f"{studio.base}/p/{project.id}/delete")
    assert list(studio.projects.folder.iterdir()) == []


SCRIPT = "</script><script>alert(1)</script>"


def test_script_in_names_and_cells_is_text(studio, client, upload, until_done, ask, say):
    evil = [SCRIPT, "{{7*7}}", "javascript:alert(1)", '"><svg onload=alert(1)>', "=1+1"]
    frame = pd.DataFrame({name: np.random.default_rng(0).choice(evil, 60) for name in evil[:4]})
    project = upload([("a.csv", frame.to_csv(index=False).encode())])
    assert project.job["state"] == "done", project.job
    say(project, "train", model="tvae", minutes="1", epochs="1")
    until_done(project)
    say(project, "draw", n="40", seed="1")
    until_done(project)
    assert project.job["state"] == "done", project.job
    pages = [ask(project, step) for step in ("data", "rules", "train", "draw", "result", "latent", "report")]
    for page in pages:
        assert SCRIPT not in page
        assert "<svg onload" not in page
        assert "49" not in re.sub(r"[\d.]{3,}", "", page)  # nobody has multiplied
    assert "{{7*7}}" in pages[0]
    table = client.get(f"{studio.base}/p/{project.id}/files/synthetic.csv").text
    assert "'=1+1" in table  # a spreadsheet will not run it
    studio.explorer.close()


def test_pausing_stopping_and_going_on_lose_nothing(studio, client, upload, until_done, ask, say, visits):
    project = upload([("visits.csv", visits)])
    say(project, "train", model="tvae", minutes="60", epochs="100000")

    def stepped():
        return (project.load("live").get("points") or [[0]])[-1][0]

    def until_further(than):
        until = time.monotonic() + 300
        while project.job["state"] != "running" or stepped() <= than:
            assert time.monotonic() < until, project.job
            time.sleep(0.1)
        return stepped()

    before = until_further(50)
    page = ask(project, "train/live")
    assert "progress" in page
    assert "Loss while training" in page
    say(project, "train/wish", wish="pause")
    until_done(project)
    assert project.job["state"] == "paused"
    assert project.can_go_on
    assert "Go on where it was" in ask(project, "train")

    # a restart of the studio in the middle of a training: the worker is killed, the checkpoint stays
    say(project, "train", go_on="1")
    before = until_further(before)
    studio.jobs.close()
    assert project.job["state"] == "interrupted"
    again = Studio(Projects(studio.projects.folder), studio.hosts)
    assert again.projects[project.id].can_go_on
    assert "was closed" in ask(project, "train")
    again.jobs.start(project, "train", go_on=True)
    until_further(before - 2_000)
    again.jobs.wish(project, "stop")
    until_done(project)
    again.close()
    assert project.job["state"] == "done", project.job
    assert project.load("model")["stopped"] == "interrupted"
    assert project.has_model
    assert "stopped it early" in ask(project, "train")


@pytest.mark.parametrize(
    ("name", "data"),
    [("a.csv", b""), ("a.parquet", b"PAR1"), ("a.png", b"\x89PNG no more"), ("a.csv", b"a,b\n1,2,3\n")],
    ids=["empty", "parquet", "png", "ragged"],
)
def test_what_cannot_be_read_is_said_in_one_line(studio, ask, name, data):
    project = studio.projects.new().introduce(name, "image" if name.endswith("png") else "table")
    project.path("raw/000000").mkdir(parents=True)
    project.path("raw/000000/000000").with_suffix(name[1:]).write_bytes(data)
    project.change("card", files=1)
    assert act("read", project) == 1
    project.save("job", {"action": "read"} | project.load("outcome"))
    page = ask(project, "data")
    assert "That did not work" in page
    assert name in project.job["said"]
    assert "0000" not in project.job["said"]
    assert str(project.folder) not in page


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def test_idx_files_are_images_with_the_labels_beside_them(studio):
    """Two pairs, as MNIST has them, the second one packed."""
    project = studio.projects.new().introduce("mnist", "image")
    intake = Intake(project.path("raw"))
    project.path("raw").mkdir()
    label_N = np.arange(30, dtype=np.uint8) % 3
    level_NHW = np.full((30, 8, 8), label_N[:, None, None] * 100)
    for name, part, pack in (("train", slice(0, 20), bytes), ("t10k", slice(20, 30), gzip.compress)):
        ending = "" if pack is bytes else ".gz"
        for what, array in (("labels-idx1", label_N[part]), ("images-idx3", level_NHW[part])):
            intake.begin(f"mnist/{name}-{what}-ubyte{ending}")
            intake.write(pack(idx(array)))
            intake.end()
    project.change("card", kind=intake.finish(), labels=intake.labels)
    assert act("read", project) == 0, project.load("outcome")
    facts = project.load("facts")
    assert (facts["rows"], facts["size"]) == (30, "8 x 8")
    assert {entry["label"]: entry["count"] for entry in facts["labels"]} == {"0": 10, "1": 10, "2": 10}
    images, _ = parts(project)
    assert all((np.asarray(image) == 100 * label).all() for image, label in zip(images, images.labels, strict=True))


def test_a_type_that_does_not_fit_is_said_at_its_column(upload, until_done, ask, say, visits):
    project = upload([("visits.csv", visits)])
    names = [column["name"] for column in project.load("facts")["columns"]]
    say(project, "data", **{f"type-{names.index('ward')}": "number"})
    until_done(project)
    assert "must be of type number" in ask(project, "data")
    assert "ward" in project.load("facts")["columns"][names.index("ward")]["error"]


def test_steps_that_are_not_open_lead_back(studio, client, upload):
    project = studio.projects.new().introduce("new", "table")
    for step, back in (
        ("rules", "data"),
        ("train", "data"),
        ("draw", "train"),
        ("result", "draw"),
        ("latent", "train"),
    ):
        answer = client.get(f"{studio.base}/p/{project.id}/{step}", follow_redirects=False)
        assert answer.headers["location"].endswith(f"/{back}")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("rules", {"epsilon": "0.0001"}),
        ("rules", {"left": "nowhere", "sign": "<", "value": "1", "epsilon": ""}),
        ("train", {"model": "../x"}),
        ("train", {"epochs": "1e9"}),
        ("train", {"seed": "-1"}),
        ("train/wish", {"wish": "rm"}),
    ],
)
def test_what_no_form_of_ours_says_is_refused(studio, client, path, words):
    project = studio.projects.new().introduce("a", "table")
    project.save("facts", {"columns": []})
    answer = client.post(f"{studio.base}/p/{project.id}/{path}", data=words)
    assert answer.status_code == 400
    assert "however" in answer.text
    assert project.load("settings") == {}
    assert not project.busy


def test_hundreds_of_columns_come_on_several_pages(studio, ask, say):
    project = studio.projects.new().introduce("wide.csv", "table")
    column = {"type": "number", "missing": 0.0, "notice": "", "distinct": 9}
    columns = [column | {"name": f"a name of some length, {i}"} for i in range(500)]
    project.save("facts", {"rows": 9, "things": "rows", "notes": [], "types": list(COLUMNS), "columns": columns})
    first, second = ask(project, "data"), ask(project, "data?from=40")
    assert "length, 39<" in first
    assert "length, 40<" not in first
    assert "length, 40<" in second
    assert say(project, "data", **{"role-3": "target", "role-4": "use", "go": "40"}) == "data?from=40"
    assert say(project, "data", **{"role-41": "out", "from": "40"}) == "data?from=40"
    assert project.load("settings")["columns"] == {"3": {"role": "target"}, "41": {"role": "out"}}
    assert say(project, "data", **{"role-3": "use", "next": "1"}) == "rules"
    assert project.load("settings")["columns"] == {"41": {"role": "out"}}
    assert "length, 499<" in ask(project, "rules")
    seen = shown(pd.DataFrame({f"{i}": ["x" * 5_000] * 12 for i in range(500)}))
    assert len(str(seen)) < 80_000
    assert seen["more"] == 500 - len(seen["columns"])


def test_what_was_asked_for_is_judged_beside_real_ones_like_it():
    df = datasets.visits(200, seed=0)
    model = TableSynthesizer(model="tvae", seed=0, epochs=1).fit(df)
    given = {"ward": ["surgery", "oncology"], "age": (40.0, 60.0), "smoker": [False]}
    found = alike(model, df, {"given": given})
    expected = df[df["ward"].isin(given["ward"]) & df["age"].between(40, 60) & ~df["smoker"]]
    assert 0 < len(found) < 100
    pd.testing.assert_frame_equal(found.reset_index(drop=True), expected.reset_index(drop=True))
    assert alike(model, df, {}) is df


def test_a_page_with_its_verdict_is_at_rest(studio, client, ask):
    project = studio.projects.new().introduce("visits.csv", "table")
    project.save("job", {"action": "draw", "state": "running", "asked": {}, "began": 0.0})
    project.save("live", {"stage": "judging"})
    project.save("result", {"n": 5, "said": []})
    assert "data-live" in ask(project, "result")
    sentence = {"aspect": "likeness", "word": "good", "level": "good", "text": "Alike."}
    verdict = {"level": "good", "sentences": [sentence]}
    project.save("result", {"n": 5, "said": [], "judged": 5, "verdict": verdict})  # while the worker is still ending
    live = f"{studio.base}/p/{project.id}/result/live?seen=judging"
    assert client.get(live).headers["x-studio"] == "over"
    assert "data-live" not in ask(project, "result")
    project.save("live", {"stage": "drawing"})  # again: the old verdict is not the new one's
    assert "data-live" in ask(project, "result")


def test_what_is_still_coming_in_is_not_listed_and_breaks_no_page(studio, client):
    coming = studio.projects.new()
    coming.path("raw").mkdir()
    assert "None yet" in client.get(f"{studio.base}/").text
    assert client.get(f"{studio.base}/p/{coming.id}/data").status_code == 404
    coming.introduce("<big>.csv", "table")  # it is listed a moment before its job begins
    assert "&lt;big&gt;.csv" in client.get(f"{studio.base}/").text
    assert client.get(f"{studio.base}/p/{coming.id}/data").status_code == 200


def test_twenty_uploads_at_once(studio, client, visits):
    from concurrent.futures import ThreadPoolExecutor

    def send(i):
        files = {"files": (f"{i}.csv", visits[: visits.rindex(b"\n")] if i % 2 else b"a\n1\n2\n")}
        return client.post(f"{studio.base}/projects", files=files, follow_redirects=False).status_code

    with ThreadPoolExecutor(20) as many:
        assert set(many.map(send, range(20))) == {303}
    assert len(list(studio.projects)) == 20
    assert client.get(f"{studio.base}/").status_code == 200
