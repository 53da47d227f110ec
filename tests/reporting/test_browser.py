"""The page as a browser shows it, on a phone and on large screens. Skipped where there is no Chromium."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from synthloom.reporting.html import render

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """look(html): what is wrong with a page."""
    path = Path(__file__).parents[2] / "benchmarks" / "report_in_browser.py"
    spec = importlib.util.spec_from_file_location("report_in_browser", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def open_(html):
        page = tmp_path_factory.mktemp("page") / "report.html"
        page.write_text(html, "utf-8")
        return script.look(page, BROWSER)

    return open_


def test_nothing_is_wrong_with_a_report_at_any_width(look, facts):
    assert look(render(facts)) == []


def test_what_is_wrong_with_a_page_is_found(look):
    found = look(
        "<!doctype html><h1></h1><p style='position:absolute;left:600px;width:900px'>far out</p>"
        "<p>one text</p><p style='margin-top:-30px'>another text</p>"
        "<img src='elsewhere.png'><script>console.log(1); missing()</script>"
    )
    for words in (
        *("without a name: heading", "360: sticks out: far out", "1400: 100 pixels wider", "one text / another text"),
        *("asks for file:", "console: ", "exception: "),
    ):
        assert any(words in one for one in found), (words, found)
