"""What comes in: counted as it comes, under names of ours, and never more than was said."""

import gzip
import io
import stat
import zipfile

import pytest

from synthloom.errors import FileError
from synthloom.studio.intake import Intake, Limits, TooLargeError

EVIL = [
    "../../evil.csv",
    "/etc/evil.csv",
    "C:\\evil.csv",
    "..\\..\\evil.csv",
    "evil.csv\x00.csv",
    "x" * 4096 + ".csv",
    "‮vsc.evil.csv",
    "a/b/../../../../evil.csv",
    "con.csv",
    "%2e%2e%2fevil.csv",
]


def packed(members, **options):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def take(folder, files, limits=None):
    folder.mkdir(exist_ok=True)
    intake = Intake(folder, limits)
    for name, data in files:
        intake.begin(name)
        intake.write(data)
        intake.end()
    return intake, intake.finish()


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zipped"])
def test_no_foreign_name_touches_the_disk(tmp_path, name, zipped):
    files = [("evil.zip", packed([(name, b"a\n1\n")]))] if zipped else [(name, b"a\n1\n")]
    _, kind = take(tmp_path / "raw", files)
    assert kind == "table"
    (path,) = written(tmp_path)
    assert path.replace("\\", "/") == "raw/000000/000000.csv" if not zipped else path.startswith("raw")
    assert "evil" not in path


def test_folders_become_labels(tmp_path):
    names = [f"digits/{label}/{i}.png" for label in "37" for i in range(2)]
    intake, kind = take(tmp_path / "raw", [("d.zip", packed([(name, b"..") for name in names]))])
    assert (kind, intake.labels, intake.count) == ("image", ["3", "7"], 5)
    assert [path[:6] for path in written(tmp_path / "raw")] == ["000000", "000000", "000001", "000001"]
    assert intake.name == "d.zip"
    assert take(tmp_path / "dropped", [(name, b"..") for name in names])[0].name == "digits"


def test_what_is_hidden_or_of_no_known_kind_is_passed_over(tmp_path):
    files = [("__MACOSX/._a.png", b""), (".DS_Store", b""), ("run.exe", b"MZ"), ("inner.zip", b"PK")]
    intake, kind = take(tmp_path / "raw", [("a.zip", packed([("a.png", b".."), *files]))])
    assert (kind, len(written(tmp_path)), intake.passed_over) == ("image", 1, 4)
    with pytest.raises(FileError, match="known kind"):
        take(tmp_path / "other", files[1:3])


def test_more_than_may_come_is_refused_as_it_comes(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    intake = Intake(folder, Limits(bytes=1_000))
    intake.begin("a.csv")
    intake.write(b"x" * 999)
    with pytest.raises(TooLargeError, match="1,000 bytes"):
        intake.write(b"xx")
    with pytest.raises(TooLargeError, match="3 files"):
        take(tmp_path / "many", [(f"{i}.txt", b".") for i in range(4)], Limits(files=3))


BOMB = b"\0" * (20 << 20)


def test_bombs_do_not_go_off(tmp_path):
    """Twenty megabytes in twenty kilobytes, as a zip and as gzip; and a zip of very many files."""
    with pytest.raises(TooLargeError, match="200 times"):
        take(tmp_path / "zip", [("b.zip", packed([("b.csv", BOMB)]))])
    with pytest.raises(TooLargeError, match="200 times"):
        take(tmp_path / "gzip", [("b.csv.gz", gzip.compress(BOMB))])
    with pytest.raises(TooLargeError, match="a zip may hold 10 files"):
        take(tmp_path / "many", [("b.zip", packed([(f"{i}.txt", b"") for i in range(11)]))], Limits(files=10))


def test_a_zip_that_lies_about_its_size_is_refused(tmp_path):
    data = bytearray(packed([("a.csv", b"a\n" + b"1\n" * 5_000)]))
    at = data.rindex(b"PK\x01\x02") + 24  # the size that the directory gives for the file
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(FileError):
        take(tmp_path / "raw", [("a.zip", bytes(data))])


def test_links_and_damage_are_refused(tmp_path):
    link = zipfile.ZipInfo("a.csv")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(FileError, match="link"):
        take(tmp_path / "link", [("a.zip", packed([(link, "/etc/passwd")]))])
    whole = packed([("a.csv", bytes(range(256)) * 50)])
    with pytest.raises(FileError, match="damaged"):
        take(tmp_path / "cut", [("a.zip", whole[: len(whole) // 2])])
    with pytest.raises(FileError, match="damaged"):
        take(tmp_path / "gz", [("a.csv.gz", gzip.compress(b"a\n1\n" * 99)[:-12])])


def test_a_zip_of_a_table_is_a_table(tmp_path):
    intake, kind = take(tmp_path / "raw", [("people.zip", packed([("people.csv", b"a\n1\n")]))])
    assert (kind, intake.name, intake.labels) == ("table", "people.zip", None)
    intake, _ = take(tmp_path / "one", [("exports/people.csv", b"a\n1\n")])
    assert intake.name == "people.csv"


def test_images_in_idx_files_come_with_their_labels_whatever_lies_where(tmp_path):
    """As archives of MNIST have them: packed or not, each file twice, the second time in a folder of its own."""
    names = ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", "train-images.idx3-ubyte"]
    twice = ["train-images-idx3-ubyte/train-images-idx3-ubyte", "train-labels-idx1-ubyte/train-labels-idx1-ubyte"]
    packed_ = {name: gzip.compress(b"..") if name.endswith(".gz") else b".." for name in names + twice}
    intake, kind = take(tmp_path / "raw", [("mnist.zip", packed(packed_.items()))])
    assert (kind, intake.labels, intake.passed_over) == ("image", None, 1)
    found = written(tmp_path / "raw")
    pairs = [name.removeprefix("000000/").partition("idx") for name in found]
    assert len(found) == 4
    assert [pair[2] for pair in pairs] == ["1-ubyte.gz", "3-ubyte.gz", "1-ubyte", "3-ubyte"]
    assert pairs[0][0] == pairs[1][0] != pairs[2][0] == pairs[3][0]


# -- over HTTP --------------------------------------------------------------------------------------------------------


def test_an_upload_is_counted_whatever_its_header_says(studio, client):
    def body():
        yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.csv"\r\n\r\n'
        for _ in range(100):
            yield b"1,2,3\n" * 10_000

    answer = client.post(
        f"{studio.base}/projects",
        content=body(),
        headers={"content-type": "multipart/form-data; boundary=b", "content-length": "100"},
    )
    assert answer.status_code == 413
    assert list(studio.projects.folder.iterdir()) == []  # nothing is left of it


@pytest.mark.parametrize(
    "body",
    [b"", b"--b", b"garbage", b"--b\r\nContent-Disposition: form-data; name=files; filename=a.csv\r\n\r\n1,2"],
    ids=["empty", "begun", "garbage", "cut off"],
)
def test_a_broken_form_leaves_nothing(studio, client, body):
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert client.post(f"{studio.base}/projects", content=body, headers=headers).status_code == 400
    assert client.post(f"{studio.base}/projects", content=body).status_code == 400
    assert list(studio.projects.folder.iterdir()) == []


def test_an_evil_name_is_shown_as_text(studio, client):
    name = "<img src=x onerror=alert(1)>.csv"
    answer = client.post(f"{studio.base}/projects", files={"files": (name, b"a\n1\n")}, follow_redirects=False)
    assert answer.status_code == 303
    page = client.get(f"{studio.base}/").text
    assert "<img" not in page
    assert "&lt;img src=x" in page
