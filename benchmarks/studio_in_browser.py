"""A studio, and a browser to use it with as people do: what the tests and the tour share.

with serving(folder) as address, browsing() as seen:
    seen.page.goto(address)
    seen.assert_good()
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
WIDTHS = 360, 768, 1280
SCHEMES = "light", "dark"


class Seen:
    """All that is watched while a page is used."""

    def __init__(self, page: Any) -> None:
        self.page, self.hosts, self.wrong = page, set(), []
        self.faults = Path(__file__).with_name("studio_faults.js").read_text("utf-8").partition("\n")[2]
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))
        page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)

    def assert_good(self) -> None:
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
def serving(folder: Path) -> Iterator[str]:
    """The studio, and its address."""
    command = [sys.executable, "-m", "synthloom", "studio", "--port", "0", "--no-browser", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()
            said = server.communicate(timeout=60)[1]
            assert "Traceback" not in said


@contextmanager
def browsing() -> Iterator[Seen]:
    """A page in a browser."""
    from playwright import sync_api

    with sync_api.sync_playwright() as driver:
        options = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=options)
        page = browser.new_page(reduced_motion="reduce")
        page.set_default_timeout(300_000)  # busy machines are slow; nothing is timed
        yield Seen(page)
        browser.close()


def downloaded(page: Any, press: Callable[[], Any]) -> bytes:
    """The file that comes when that is pressed."""
    with page.expect_download() as download:
        press()
    content: bytes = download.value.path().read_bytes()
    return content


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until that has the focus, and see that one can see it."""
    for _ in range(200):
        if page.evaluate("(s) => document.activeElement.matches(s)", selector):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {selector}")
