"""A studio in an empty folder, and a browser's manners in talking to it."""

import importlib.util
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from synthloom import datasets
from synthloom.studio.intake import Limits
from synthloom.studio.projects import Projects
from synthloom.studio.web.app import application
from synthloom.studio.web.state import Studio

HOST = "127.0.0.1:8765"


@pytest.fixture
def studio(tmp_path):
    return Studio(Projects(tmp_path / "projects"), (HOST, "localhost:8765"), limits=Limits(bytes=3 << 20, files=50))


@pytest.fixture
def client(studio):
    """What a page of the studio can ask."""
    with TestClient(application(studio), f"http://{HOST}", headers={"origin": f"http://{HOST}"}) as asking:
        yield asking


@pytest.fixture
def upload(studio, client, until_done):
    """Send files; the project that they become, read."""

    def send(files, kind=""):
        answer = client.post(
            f"{studio.base}/projects",
            files=[("files", file) for file in files],
            data={"kind": kind},
            follow_redirects=False,
        )
        assert answer.status_code == 303, answer.text
        return until_done(studio.projects[answer.headers["location"].split("/")[3]])

    return send


@pytest.fixture(scope="session")
def visits():
    """A small table as people would drop it."""
    return datasets.visits(300, seed=0).to_csv(index=False).encode()


@pytest.fixture
def until_done():
    """Wait until nothing is being done for a project."""

    def wait(project, seconds=300):
        until = time.monotonic() + seconds
        while project.busy:
            assert time.monotonic() < until, (project.job, project.load("live"))
            time.sleep(0.1)
        return project

    return wait


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def browser():
    """What the tests share with `benchmarks/studio_tour.py`."""
    path = Path(__file__).parents[2] / "benchmarks" / "studio_in_browser.py"
    spec = importlib.util.spec_from_file_location("studio_in_browser", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def seen(browser, tmp_path):
    """The first page of a studio of its own, in a browser, and what must hold of it looked at first and last."""
    pytest.importorskip("playwright.sync_api")
    if browser.CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with browser.browsing() as watched, browser.serving(tmp_path / "projects") as address:
        watched.page.goto(address)
        watched.assert_good()
        yield watched
        watched.assert_good()
