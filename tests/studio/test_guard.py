"""Who is let in: by name, by token, by origin; and what every answer says to the browser."""

import logging

import pytest
from starlette.testclient import TestClient

from synthloom.studio.web.app import application
from synthloom.studio.web.guard import HEADERS, Guard

HOST = "127.0.0.1:8765"


def test_the_right_name_token_and_origin_are_let_in(studio, client):
    assert client.get(f"{studio.base}/").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:9999", "evil.example:8765", ""])
def test_another_name_is_not_ours(studio, client, host):
    """A foreign name may be made to point here (DNS rebinding); it stays foreign."""
    assert client.get(f"{studio.base}/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("path", ["/", "/wrong/", "/projects", "/static/studio.js", "//", "/%2e%2e/"])
def test_without_the_token_there_is_nothing(client, path):
    answer = client.get(path)
    assert answer.status_code == 404
    assert "<" not in answer.text


def test_tokens_cannot_be_guessed(studio):
    assert len(studio.token) >= 32
    assert studio.token != type(studio)(studio.projects, studio.hosts).token


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "https://127.0.0.1:8765"},
        {"sec-fetch-site": "cross-site"},
    ],
    ids=["elsewhere", "null", "none", "another scheme", "said by the browser"],
)
def test_another_origin_changes_nothing(studio, client, headers):
    project = studio.projects.new().introduce("kept", "table")
    for path in ("delete", "train", "data", "rules", "draw", "train/wish"):
        assert client.post(f"{studio.base}/p/{project.id}/{path}", headers=headers).status_code == 403
    assert project.id in studio.projects


def test_no_page_tells_what_can_be_asked(studio, client):
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(studio.base + path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/studio.js", "/p/0000000000000000/data"])
def test_every_answer_is_strict(studio, client, path):
    answer = client.get(studio.base + path)
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert client.get("/").headers["content-security-policy"] == HEADERS["content-security-policy"]


def test_pages_bring_no_script_or_style_of_their_own(studio, client):
    """A strict policy would not heed them; so they must not be needed."""
    text = client.get(f"{studio.base}/").text
    assert " style=" not in text
    assert "<style" not in text
    assert text.count("<script") == 1
    assert " on" not in text.replace(" on ", "").replace(" one", "").replace(" only", "")


def test_what_goes_wrong_is_logged_without_the_data(studio, caplog):
    async def broken(scope, receive, send):
        raise ValueError("a secret of the data")

    with caplog.at_level(logging.DEBUG):
        answer = TestClient(Guard(broken, studio), f"http://{HOST}").get(f"{studio.base}/")
    assert answer.status_code == 500
    assert "secret" not in answer.text + caplog.text
    assert "ValueError at" in caplog.text


@pytest.mark.parametrize("id", ["..", "%2e%2e", "..%2f..%2fetc", "0000000000000000", "0" * 4096, "a\\b", "%00"])
def test_only_projects_of_the_list_have_pages(studio, client, id):
    assert client.get(f"{studio.base}/p/{id}/data").status_code == 404
    assert client.get(f"{studio.base}/p/{id}/files/model.loom").status_code == 404


@pytest.mark.parametrize(
    "name", ["card.json", "../card.json", "..%2fcard.json", "data.parquet", "%2e%2e%2fx", "job.json"]
)
def test_only_files_of_the_list_can_be_had(studio, client, name):
    project = studio.projects.new().introduce("x", "table")
    assert client.get(f"{studio.base}/p/{project.id}/files/{name}").status_code == 404
    assert client.get(f"{studio.base}/static/{name}").status_code == 404


def test_a_form_may_hold_so_much(studio, client):
    project = studio.projects.new().introduce("x", "table")
    answer = client.post(f"{studio.base}/p/{project.id}/rules", data={"rule": "x" * (3 << 20)})
    assert answer.status_code == 413


def test_the_application_is_guarded(studio):
    assert isinstance(application(studio), Guard)
