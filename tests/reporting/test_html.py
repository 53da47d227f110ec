import json
import re
from html.parser import HTMLParser
from itertools import pairwise

import pandas as pd
import pytest

from synthloom import datasets
from synthloom.errors import FileError
from synthloom.reporting import FORMS, gather, report
from synthloom.reporting.html import render

VOID = {"meta", "br", "wbr"}


class Page(HTMLParser):
    """The elements of a page: (name, attributes, ancestors, text inside)."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        element = {
            "name": tag,
            **dict(attributes),
            "inside": [e["name"] for e in self.open],
            "text": "",
            "children": [],
        }
        if self.open:
            self.open[-1]["children"].append(tag)
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop()["name"] == tag, f"{tag} closes something else"

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, name):
        return [element for element in self.elements if element["name"] == name]


@pytest.fixture(scope="module")
def html(facts):
    return render(facts)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_the_page_is_whole_and_closes_what_it_opens(page):
    assert page.open == []
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("main")) == len(page.all("h1")) == 1


def test_the_page_needs_nothing_else(html, page):
    assert page.all("script") == page.all("link") == page.all("img") == page.all("iframe") == []
    assert not re.search(r"url\(|@import|https?:", html)
    assert all(element["href"].startswith("#") for element in page.all("a"))
    policy = next(meta for meta in page.all("meta") if "http-equiv" in meta)
    assert "default-src 'none'" in policy["content"]


def test_links_lead_somewhere_and_no_id_is_there_twice(page):
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(ids) == len(set(ids))
    assert {element["href"][1:] for element in page.all("a")} <= set(ids)
    assert {e["aria-labelledby"] for e in page.elements if "aria-labelledby" in e} <= set(ids)


def test_headings_skip_no_level(page):
    levels = [int(e["name"][1]) for e in page.elements if re.fullmatch(r"h\d", e["name"])]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_every_picture_says_what_it_shows_and_every_table_what_it_holds(page):
    pictures = page.all("svg")
    assert len(pictures) > 15
    assert all(picture["children"][:2] == ["title", "desc"] and picture["role"] == "img" for picture in pictures)
    assert len({picture["text"] for picture in pictures}) == len(pictures)
    assert all(table["children"][0] == "caption" for table in page.all("table"))
    assert all("scope" in cell for cell in page.all("th"))


def test_all_that_there_is_to_say_is_said(html, facts):
    for score in facts["scores"]:
        assert score["name"].replace("_", "_<wbr>") in html
    for column in facts["columns"]:
        assert f"<h3>{column['column']}</h3>" in html
    for sentence in facts["verdict"]["sentences"]:
        assert sentence["text"].split(",")[0].replace("'", "&#39;") in html
    assert "alarms, not proofs" in html
    assert "the latent is dead" in html
    assert "patient_id" in html  # in the notes: what is not judged


def test_pointing_at_a_bar_says_its_numbers(page):
    words = [element["text"] for element in page.all("title") if "g" in element["inside"]]
    assert any(re.fullmatch(r"surgery: real [\d.]+\s%, synthetic [\d.]+\s%", text) for text in words)


EVIL = "</script><script>alert(1)</script>"


def test_names_and_values_are_text_and_nothing_else(quick, model):
    rows = 240
    frame = pd.DataFrame(
        {
            EVIL: ["<img src=x onerror=alert(2)>", "{{7*7}}", '" onmouseover="alert(3)'] * (rows // 3),
            "javascript:alert(4)": range(rows),
            "a|b\n# c": [1.5, 2.5] * (rows // 2),
        }
    )
    facts = gather(frame, frame, frame, model=model, progress=False)
    page = Page(render(facts))
    assert page.all("script") == page.all("img") == page.all("b") == []
    assert not any(key.startswith("on") for element in page.elements for key in element)
    assert any(EVIL in element["text"] for element in page.all("h3"))
    assert any("{{7*7}}" in element["text"] for element in page.all("title"))
    assert "49" not in [element["text"] for element in page.all("text")]
    table = [line for line in FORMS[".md"](facts).splitlines() if "a\\|b" in line]
    assert table
    assert not re.search(r"(?<!\\)<", FORMS[".md"](facts))


def test_the_same_facts_make_the_same_page_also_from_json(facts, html):
    assert render(json.loads(FORMS[".json"](facts))) == html


def test_a_wide_table_stays_below_a_megabyte_and_a_half(facts):
    columns = [dict(facts["columns"][i % len(facts["columns"])], column=f"column {i}") for i in range(300)]
    page = render(facts | {"columns": columns})
    assert len(page.encode()) < 1_500_000
    assert "60 of 300 are drawn" in page


def test_without_a_holdout_or_a_model_the_page_says_so(quick):
    facts = gather(datasets.visits(300, seed=0), datasets.visits(300, seed=1), progress=False)
    text = render(facts)
    assert "no real rows were held out" in text
    assert "Training</h2>" not in text
    assert 'id="privacy"' in text


def test_one_column_can_be_reported(quick):
    frame = pd.DataFrame({"x": [1.0, 2.0] * 150})
    assert "It takes two columns" in render(gather(frame, frame, progress=False))


# -- light, dark and paper --------------------------------------------------------------------------------------------


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return sum(weight * x for weight, x in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a, b):
    darker, lighter = sorted((luminance(a), luminance(b)))
    return (lighter + 0.05) / (darker + 0.05)


def test_letters_and_marks_stand_out_in_light_and_dark_and_on_paper(html):
    schemes = [dict(re.findall(r"--(\w+): (#\w+)", block)) for block in re.findall(r":root \{(.*?)\}", html, re.S)]
    schemes = [{k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in s.items()} for s in schemes]
    assert len(schemes) == 3
    for colours in schemes:
        for ground in (colours["paper"], colours["card"]):
            for letters in ("ink", "quiet", "good", "fair", "poor", "alarm", "unknown"):
                assert contrast(colours[letters], ground) >= 4.5, letters
            for marks in ("real", "synthetic", "depend", "more", "less", "nothing"):
                assert contrast(colours[marks], ground) >= 3, marks


# -- files ------------------------------------------------------------------------------------------------------------


def test_the_ending_says_the_form(tmp_path, quick):
    frames = datasets.visits(100, seed=0), datasets.visits(100, seed=1)
    for ending, start in ((".html", "<!doctype html>"), (".md", "# Synthetic data report"), (".json", "{")):
        report(*frames, tmp_path / f"r{ending}", progress=False)
        assert (tmp_path / f"r{ending}").read_text("utf-8").startswith(start)
    with pytest.raises(FileError, match=r"r\.pdf"):
        report(*frames, tmp_path / "r.pdf")
    assert json.loads((tmp_path / "r.json").read_text("utf-8"))["kind"] == "table"


def test_scores_that_are_there_are_not_computed_again(tmp_path, quick, monkeypatch):
    from synthloom.evaluation import evaluate

    frames = datasets.visits(100, seed=0), datasets.visits(100, seed=1)
    scores = evaluate(*frames)
    monkeypatch.setattr("synthloom.evaluation.METRICS", {"table": {}})
    assert report(*frames, tmp_path / "r.json", scores=scores)["scores"][0]["name"] == "shape_error"
