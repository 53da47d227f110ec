"""A studio in an empty folder, and a browser's manners in talking to it."""

import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient

from synthloom import datasets
from synthloom.studio.intake import Limits
from synthloom.studio.projects import Projects
from synthloom.studio.web.app import application
from synthloom.studio.web.state import Studio

HOST = "127.0.0.1:8765"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


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


class Seen:
    """All that is watched while a page is used."""

    def __init__(self, page):
        self.page, self.hosts, self.wrong = page, set(), []
        self.faults = Path(__file__).with_name("faults.js").read_text("utf-8").partition("\n")[2]
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)

    def assert_good(self):
        """At a telephone's width, or 400 % zoom, all fits; in light and dark nothing is amiss."""
        self.page.wait_for_load_state("load")  # with all of its styles: a click only waits for the page to begin
        for width in (320, 1280):
            self.page.set_viewport_size({"width": width, "height": 800})
            beyond = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert beyond <= 0, f"{self.page.url} is {beyond} pixels wider than {width}"
        for scheme in ("dark", "light"):
            self.page.emulate_media(color_scheme=scheme)
            assert self.page.evaluate(self.faults) == [], f"{self.page.url}, {scheme}"
        assert self.wrong == []
        assert self.hosts <= {"127.0.0.1", None}  # none: a picture that its address holds


@contextmanager
def serving(folder):
    """The studio, and its address."""
    command = [sys.executable, "-m", "synthloom", "studio", "--port", "0", "--no-browser", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            said = server.communicate(timeout=60)[1]
            assert "Traceback" not in said


@pytest.fixture(name="serving")
def _serving():
    return serving


@contextmanager
def browsing():
    """A page in a browser."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    with playwright.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(reduced_motion="reduce")
        page.set_default_timeout(300_000)  # busy machines are slow; nothing is timed
        yield Seen(page)
        browser.close()


@pytest.fixture
def seen(tmp_path):
    """The first page of a studio of its own, in a browser, and what must hold of it looked at first and last."""
    with browsing() as watched, serving(tmp_path / "projects") as address:
        watched.page.goto(address)
        watched.assert_good()
        yield watched
        watched.assert_good()
