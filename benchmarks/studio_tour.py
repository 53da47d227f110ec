"""The studio, used as people use it, with real data: from a file to the files that come out.

    python benchmarks/studio_tour.py DATA --out FOLDER [--axe axe.min.js] [--only table text image table-keys ...]
    python benchmarks/studio_tour.py --out FOLDER --only table --seconds 60 --docs docs/figures

DATA is a folder that has, at whatever depth, titanic.csv, the news headlines with their labels (a folder
news-headlines-clickbait) and MNIST's train-images-idx3-ubyte.gz, of which some hundred digits become a folder of
pictures. Without DATA the project's own made-up data take their place. By mouse, and once more by keyboard alone:
upload, columns, rules, training by the default model, drawing, the verdict, every download, the latent. What is
downloaded is opened and compared with what was given.

Printed: how long the first page takes, how large pages are, how often the curve moves while the model trains, how long
pages take meanwhile, which machines were asked for anything, and what axe-core finds where its script is given.
Pictures of every step, at 360, 768 and 1,280 pixels, light and dark, go to FOLDER; of made-up data, those that
docs/studio.md shows to --docs.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import monotonic
from typing import Any
from urllib.request import urlopen

import numpy as np
import pandas as pd
from PIL import Image
from playwright.sync_api import Error
from studio_in_browser import SCHEMES, WIDTHS, Seen, browsing, downloaded, serving, tab_to

from synthloom import datasets
from synthloom.sources import read_images, read_table, read_texts

PATIENCE = 1_800_000
"""Milliseconds that anything may take."""

SHOWN = {
    "no-projects": "1-projects",
    "data": "2-data",
    "rules": "3-rules",
    "training": "4-train",
    "draw": "5-draw",
    "result": "6-result",
    "latent": "7-latent",
}
"""Steps with a table that the docs show, and what the pictures are called there."""

NARROW = "data", "training", "result"
"""Steps that the docs show on a telephone too, in the dark, side by side."""

FOLLOW = """() => {
  const place = document.querySelector("[data-live]");
  let curve = "";
  window.moved = [performance.now()];
  new MutationObserver(() => {
    const now = place.querySelector("svg")?.outerHTML ?? "";
    if (now !== curve) window.moved.push(performance.now());
    curve = now;
  }).observe(place, {childList: true});
}"""

# -- what is given ----------------------------------------------------------------------------------------------------


@dataclass
class Given:
    """Data, and what is asked of them."""

    table: Path
    target: str
    out: str
    rule: tuple[str, str, str]
    picked: tuple[str, str]
    bounded: tuple[str, int, int]
    texts: Path
    images: Path


def given(data: Path | None, place: Path) -> Given:
    images = place / "digits"
    if data is None:
        datasets.visits(3_000, seed=0).to_csv(place / "visits.csv", index=False)
        datasets.notes(3_000, seed=0).to_csv(place / "notes.csv", index=False)
        pictures(*datasets.shapes(400), images)
        table = (place / "visits.csv", "readmitted", "cost", ("age", "<=", "100"), ("sex", "f"), ("age", 20, 90))
        return Given(*table, place / "notes.csv", images)
    digits = read_images(one(data, "train-images-idx3-ubyte.gz", "mnist"))
    pictures(digits[:400], digits.labels[:400], images)
    table = one(data, "titanic.csv"), "Survived", "Ticket", ("Fare", ">=", "0"), ("Sex", "female"), ("Age", 20, 40)
    return Given(*table, one(data, "*.csv", "news-headlines-clickbait"), images)


def one(data: Path, name: str, folder: str = "") -> Path:
    found = sorted(path for path in data.rglob(name) if folder in ("", path.parent.name))
    if not found:
        raise SystemExit(f"DATA must hold {folder}/{name}, however: there is none in {data}")
    return found[0]


def pictures(images: Any, labels: Any, folder: Path) -> None:
    """A picture for each image, in a folder for each label."""
    for i, (image, label) in enumerate(zip(np.asarray(images), labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{i:04}.png")


# -- what is seen -----------------------------------------------------------------------------------------------------


@dataclass
class Figures:
    """All that is measured."""

    start: list[tuple[float, float]] = field(default_factory=list)
    bytes: dict[str, int] = field(default_factory=dict)
    gaps: dict[str, list[float]] = field(default_factory=dict)
    waits: dict[str, list[float]] = field(default_factory=dict)
    trained: dict[str, float] = field(default_factory=dict)
    judged: dict[str, float] = field(default_factory=dict)
    requests: int = 0
    wrong: list[str] = field(default_factory=list)
    looked: int = 0


class Tour:
    """A page in a browser, and what is written down of it."""

    def __init__(self, seen: Seen, out: Path, axe: str, figures: Figures, seconds: int, docs: Path | None) -> None:
        self.seen, self.page, self.out, self.axe, self.figures = seen, seen.page, out, axe, figures
        self.seconds, self.docs = seconds, docs
        self.name, self.step = "", 0
        self.narrow: list[Image.Image] = []
        self.page.set_default_timeout(PATIENCE)
        self.page.on("response", self._weigh)

    def _weigh(self, response: Any) -> None:
        self.figures.requests += 1
        if response.request.resource_type in ("document", "fetch") and "/files/" not in response.url:
            last = response.url.split("/p/")[-1].split("?")[0].partition("/")[2]
            name = f"{self.name}: {last or 'projects'}"
            size = int(response.headers.get("content-length", 0))
            self.figures.bytes[name] = max(size, self.figures.bytes.get(name, 0))

    def look(self, name: str) -> None:
        """Pictures of a page, and what is wrong with it, at all widths, light and dark."""
        self.step += 1
        self.page.wait_for_load_state("load")
        if self.docs and self.name == "table" and name in SHOWN:
            self._show(name, self.docs)
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 800})
            for scheme in SCHEMES:
                self.page.emulate_media(color_scheme=scheme)
                path = self.out / f"{self.name}-{self.step:02}-{name}-{width}-{scheme}.png"
                self.page.screenshot(path=path, full_page=True)
                self.figures.wrong += [f"{path.stem}: {fault}" for fault in self._faults()]
                self.figures.looked += 1
        try:
            self.seen.assert_good()
        except AssertionError as fault:
            self.figures.wrong.append(f"{self.name}-{self.step:02}-{name}: {fault}")

    def _show(self, name: str, docs: Path) -> None:
        """Pictures for the docs: what a window shows."""
        small(self._window(1_000, "light")).save(docs / f"studio-{SHOWN[name]}.png", optimize=True)
        if name in NARROW:
            self.narrow.append(self._window(360, "dark"))
        if len(self.narrow) == len(NARROW):
            beside = Image.new("RGB", (380 * len(NARROW) - 20, 700), "white")
            for i, picture in enumerate(self.narrow):
                beside.paste(picture, (380 * i, 0))
            small(beside).save(docs / "studio-8-narrow.png", optimize=True)

    def _window(self, width: int, scheme: str) -> Image.Image:
        self.page.set_viewport_size({"width": width, "height": 700})
        self.page.emulate_media(color_scheme=scheme)
        return Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")

    def _faults(self) -> list[str]:
        """What axe-core finds."""
        if not self.axe or self.page.url.endswith("/report"):  # which runs no script; report_in_browser.py looks at it
            return []
        try:
            self.page.evaluate(self.axe + ";0")
            found = self.page.evaluate("axe.run({resultTypes: ['violations']}).then((r) => r.violations)")
        except Error:  # what was waited for has come, and the page with it
            self.page.wait_for_load_state("load")
            return self._faults()
        return [f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:100]}" for v in found]

    def drop(self, path: Path) -> None:
        """Let go of a file or folder over the page, as a hand would."""
        session = self.page.context.new_cdp_session(self.page)
        data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
        for type_ in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": type_, "x": 200, "y": 200, "data": data})

    def go_to_training(self, address: str) -> None:
        """What was dropped is taken as it is."""
        self.page.get_by_role("link", name="On to the rules").wait_for()
        self.look("data")
        self.page.get_by_role("link", name="On to the rules").click()
        self.look("rules")
        self.page.get_by_role("button", name="On to training").click()
        self.train(address)

    def train(self, address: str) -> None:
        """Watch a training by the default model, and do nothing else for a while."""
        began = monotonic()
        page, figures, over = self.page, self.figures, Event()
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Rounds through the data").fill("100000")  # small data are through in seconds
        page.get_by_role("button", name="Train", exact=True).click()
        page.get_by_role("img", name="Loss while training").wait_for()
        project = page.url.removesuffix("train")
        pages = [address, *(project + name for name in ("data", "rules", "train", "train/live"))]
        waits: list[float] = []

        def ask() -> None:
            while not over.wait(0.2):
                at = monotonic()
                with urlopen(pages[len(waits) % len(pages)]) as answer:
                    answer.read()
                waits.append(monotonic() - at)

        asking = Thread(target=ask)
        asking.start()
        page.evaluate(FOLLOW)
        moved: list[float] = []
        for _ in range(self.seconds):
            page.wait_for_timeout(1_000)
            moved = page.evaluate("window.moved ?? []") or moved  # a new page once it is over
        over.set()
        asking.join()
        figures.gaps[self.name] = [(b - a) / 1_000 for a, b in pairwise(moved)]
        figures.waits[self.name] = waits
        self.look("training")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Go on where it was").wait_for()
        self.look("paused")
        page.get_by_role("button", name="Go on where it was").click()
        page.get_by_role("button", name="Stop early").click()
        page.get_by_role("link", name="Draw from it").wait_for()
        figures.trained[self.name] = monotonic() - began
        self.look("trained")
        page.get_by_role("link", name="Draw from it").click()

    def judge(self) -> None:
        began = monotonic()
        self.page.get_by_role("button", name="Draw", exact=True).click()
        self.page.get_by_text("Judging: models").wait_for()
        self.look("judging")
        self.page.get_by_role("link", name="The full report").wait_for()
        self.figures.judged[self.name] = monotonic() - began
        self.look("result")

    def take(self, name: str) -> bytes:
        return downloaded(self.page, self.page.get_by_role("link", name=name, exact=True).click)

    def report(self) -> None:
        self.page.get_by_role("link", name="The full report").click()
        self.look("report")
        self.page.go_back()


def small(picture: Image.Image) -> Image.Image:
    """In 128 colours, the rare ones among them, which is enough for pages."""
    return picture.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


# -- the ways ---------------------------------------------------------------------------------------------------------


def table(tour: Tour, address: str, given: Given) -> None:
    """By mouse."""
    page = tour.page
    page.goto(address)
    tour.look("no-projects")
    tour.drop(given.table)
    page.get_by_role("button", name="On to the rules").wait_for()
    page.get_by_label(f"Role of {given.target}", exact=True).select_option("target")
    page.get_by_label(f"Role of {given.out}", exact=True).select_option("out")
    page.wait_for_load_state("networkidle")
    tour.look("data")
    page.get_by_role("button", name="On to the rules").click()
    left, sign, value = given.rule
    page.locator("select[name=left]").select_option(left)
    page.locator("select[name=sign]").select_option(sign)
    page.locator("input[name=value]").fill(value)
    page.get_by_role("button", name="Add the rule").click()
    assert page.locator("input[name=rule]").first.input_value() == f"`{left}` {sign} {value}"
    tour.look("rules")
    page.get_by_role("button", name="On to training").click()
    tour.look("train")
    tour.train(address)
    page.locator("#n").fill("500")
    column, picked = given.picked
    page.get_by_role("group", name=column, exact=True).get_by_label(picked, exact=True).check()
    column, low, high = given.bounded
    page.get_by_role("group", name=column, exact=True).get_by_label("From").fill(str(low))
    page.get_by_role("group", name=column, exact=True).get_by_label("To").fill(str(high))
    tour.look("draw")
    tour.judge()
    tour.report()
    check_table(tour.take("CSV"), tour.take("Parquet"), given, 500)
    check_rest(tour)
    page.get_by_role("link", name="Look into the latent").click()
    page.locator("[data-part=near] input[type=range]").fill("60")
    page.get_by_text("Near it, at 60 %").wait_for()
    page.locator("[data-part=way] input[type=range]").fill("6")
    page.get_by_text("6 of 8 on the way").wait_for()
    tour.look("latent")
    page.get_by_role("link", name="synthloom studio").click()
    tour.look("projects")
    page.get_by_role("link", name=f"Delete {given.table.name}").click()
    tour.look("delete")
    page.get_by_role("link", name="Keep it").click()


def table_by_keys(tour: Tour, address: str, given: Given) -> None:
    """The table again, and no mouse."""
    page, keys = tour.page, Keys(tour)

    def number(name: str) -> int:
        return list(read_table(given.table).columns).index(name)

    keys.upload(address, "#files", given.table)
    page.get_by_role("button", name="On to the rules").wait_for()
    keys.write(f"select[name=role-{number(given.target)}]", "in it")
    keys.write(f"select[name=role-{number(given.out)}]", "kept")
    keys.press("button[name=next]")
    page.wait_for_url("**/rules")
    left, sign, value = given.rule
    keys.write("select[name=left]", left)
    keys.write("select[name=sign]", "is at least" if sign == ">=" else "is at most")
    keys.write("input[name=value]", value)
    keys.press("fieldset.inline button")
    page.locator("input[name=rule]").first.wait_for()
    assert page.locator("input[name=rule]").first.input_value() == f"`{left}` {sign} {value}"
    keys.train()
    keys.write("#n", "300")
    column, picked = given.picked
    keys.press(f".pickers input[value='{picked}']", "Space")
    column, low, high = given.bounded
    group = page.get_by_role("group", name=column, exact=True)
    for label, end in (("From", low), ("To", high)):
        keys.write(f"input[name='{group.get_by_label(label).get_attribute('name')}']", str(end))
    keys.draw()
    check_table(keys.take("synthetic.csv"), keys.take("synthetic.parquet"), given, 300)
    keys.look_into_the_latent()
    keys.go_on_the_way()


def text_by_keys(tour: Tour, address: str, given: Given) -> None:
    keys = Keys(tour)
    keys.draw_sixty(address, "#files", given.texts, "Texts")
    assert len(keys.take("synthetic.jsonl").decode().splitlines()) == 60
    keys.look_into_the_latent()
    keys.go_on_the_way()


def image_by_keys(tour: Tour, address: str, given: Given) -> None:
    keys = Keys(tour)
    keys.draw_sixty(address, "#folder", given.images, "Images")
    with zipfile.ZipFile(io.BytesIO(keys.take("synthetic.zip"))) as drawn:
        assert len(drawn.namelist()) == 60
    keys.look_into_the_latent()


class Keys:
    """Tab, arrows, Enter, the space bar and letters, and what all kinds of data have in common."""

    def __init__(self, tour: Tour) -> None:
        self.tour, self.page, self.keys = tour, tour.page, tour.page.keyboard

    def press(self, selector: str, key: str = "Enter") -> None:
        tab_to(self.page, selector)
        self.keys.press(key)

    def write(self, selector: str, words: str) -> None:
        tab_to(self.page, selector)
        if self.page.evaluate("document.activeElement.matches('input')"):
            self.keys.press("Control+a")
        self.keys.type(words)

    def upload(self, address: str, selector: str, path: Path, kind: str = "") -> None:
        """The dialog in which one chooses a file is the system's own, and is left out."""
        self.page.goto(address)
        tab_to(self.page, "input[name=kind]")
        while kind and not self.page.get_by_label(kind, exact=True).is_checked():
            self.keys.press("ArrowRight")
        tab_to(self.page, selector)
        self.page.locator(selector).set_input_files(path)
        self.press("[data-upload] button")

    def train(self) -> None:
        """From whatever page comes before it; paused, gone on with, and stopped early."""
        for page in ("rules", "train"):
            if self.page.url.rsplit("/", 1)[1] != page:
                self.page.get_by_text(f"On to {'the rules' if page == 'rules' else 'training'}").wait_for()
                self.press("main a.button, button[name=next]")
                self.page.wait_for_url(f"**/{page}")
        self.press("summary")
        self.write("#epochs", "100000")
        self.keys.press("Enter")
        self.page.get_by_role("img", name="Loss while training").wait_for()
        self.press("button[value=pause]")
        self.page.get_by_role("button", name="Go on where it was").wait_for()
        self.press("button[name=go_on]")
        self.page.get_by_role("img", name="Loss while training").wait_for()
        self.page.wait_for_timeout(1_000 * self.tour.seconds)
        self.press("button[value=stop]")
        self.page.get_by_role("link", name="Draw from it").wait_for()
        self.tour.seen.assert_good()
        self.press("main a.button")
        self.page.wait_for_url("**/draw")

    def draw_sixty(self, address: str, selector: str, path: Path, kind: str) -> None:
        """All the way with nothing asked for but a number."""
        self.upload(address, selector, path, kind)
        self.train()
        self.write("#n", "60")
        self.draw()

    def draw(self) -> None:
        self.keys.press("Enter")
        self.page.get_by_role("link", name="The full report").wait_for()
        self.tour.seen.assert_good()
        assert zipfile.ZipFile(io.BytesIO(self.take("model.loom"))).testzip() is None
        assert self.take("report.html")[:15] == b"<!doctype html>"

    def take(self, name: str) -> bytes:
        tab_to(self.page, f"a[href$='{name}']")
        return downloaded(self.page, lambda: self.keys.press("Enter"))

    def look_into_the_latent(self) -> None:
        self.press("a.button[href$=latent]")
        self.page.wait_for_url("**/latent")
        self.press("[data-part=near] input[type=range]", "End")
        self.page.get_by_text("Near it, at 100 %").wait_for()
        self.tour.seen.assert_good()

    def go_on_the_way(self) -> None:
        self.press("[data-part=way] input[type=range]", "ArrowRight")
        self.page.get_by_text("5 of 8 on the way").wait_for()


def text(tour: Tour, address: str, given: Given) -> None:
    page = tour.page
    page.goto(address)
    page.get_by_label("Texts", exact=True).check()
    tour.drop(given.texts)
    tour.go_to_training(address)
    page.locator("#n").fill("300")
    label = page.locator("fieldset input[type=radio]").first
    label.check()
    wanted = label.get_attribute("value")
    tour.look("draw")
    tour.judge()
    tour.report()
    lines = [json.loads(line) for line in tour.take("JSON lines").decode().splitlines()]
    frame = pd.read_csv(io.BytesIO(tour.take("CSV")), keep_default_na=False)
    same = pd.read_parquet(io.BytesIO(tour.take("Parquet")))
    assert len(lines) == len(frame) == len(same) == 300
    assert [line["text"] for line in lines] == same["text"].tolist()
    assert {line["label"] for line in lines} == {wanted}
    share = len(set(same["text"]) & set(read_texts(given.texts))) / len(same)
    print(f"text: {share:.1%} of the drawn texts are real ones")
    check_rest(tour)
    page.get_by_role("link", name="Look into the latent").click()
    page.locator("textarea[name=text_a]").fill(lines[0]["text"])
    page.locator("textarea[name=text_b]").fill("what you should know before you buy a house")
    page.locator("[data-part=way] input[type=range]").fill("3")
    page.get_by_text("3 of 8 on the way").wait_for()
    tour.look("latent")


def image(tour: Tour, address: str, given: Given) -> None:
    page = tour.page
    page.goto(address)
    tour.drop(given.images)
    tour.go_to_training(address)
    page.locator("#n").fill("200")
    tour.look("draw")
    tour.judge()
    tour.report()
    one = next(given.images.rglob("*.png"))
    with zipfile.ZipFile(io.BytesIO(tour.take("Pictures (zip)"))) as drawn:
        assert len(drawn.namelist()) == 200
        for name in drawn.namelist():
            with Image.open(drawn.open(name)) as picture, Image.open(one) as real:
                assert (picture.size, picture.mode) == (real.size, real.mode)
                picture.load()
    with np.load(io.BytesIO(tour.take("NumPy"))) as arrays:
        assert arrays["images"].shape[0] == len(arrays["labels"]) == 200
    check_rest(tour)
    page.get_by_role("link", name="Look into the latent").click()
    before = page.locator("#near img").last.get_attribute("src")
    page.locator("[data-part=near] input[type=range]").fill("80")
    page.get_by_text("Near it, at 80 %").wait_for()
    assert page.locator("#near img").last.get_attribute("src") != before
    tour.look("latent")


WAYS: dict[str, Callable[[Tour, str, Given], None]] = {
    "table": table,
    "text": text,
    "image": image,
    "table-keys": table_by_keys,
    "text-keys": text_by_keys,
    "image-keys": image_by_keys,
}

# -- what comes out ---------------------------------------------------------------------------------------------------


def check_table(csv: bytes, parquet: bytes, given: Given, n: int) -> None:
    """As many rows as asked, the columns in their order, with their types, and what was asked of them."""
    real = read_table(given.table).drop(columns=given.out)
    frame, exact = pd.read_csv(io.BytesIO(csv)), pd.read_parquet(io.BytesIO(parquet))
    assert len(frame) == len(exact) == n
    assert list(frame) == list(exact) == list(real)
    for name in real:
        assert exact[name].dtype.kind == real[name].dtype.kind, (name, exact[name].dtype, real[name].dtype)
    column, picked = given.picked
    assert set(exact[column]) == {picked}
    column, low, high = given.bounded
    assert exact[column].between(low, high).all()
    left, sign, value = given.rule
    assert exact[left].dropna().pipe(lambda v: v >= float(value) if sign == ">=" else v <= float(value)).all()


def check_rest(tour: Tour) -> None:
    assert tour.take("Report")[:15] == b"<!doctype html>"
    with zipfile.ZipFile(io.BytesIO(tour.take("Model"))) as model:
        assert model.testzip() is None


# -- all of it --------------------------------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--axe", type=Path)
    parser.add_argument("--seconds", type=int, default=15, help="of training, in which nothing is done but to watch")
    parser.add_argument("--docs", type=Path, help="where pictures for the documents go, of made-up data")
    parser.add_argument("--only", nargs="+", choices=list(WAYS), default=list(WAYS))
    options = parser.parse_args()
    if options.docs and options.data:
        parser.error("the documents must show made-up data, however: DATA is given; leave it out")
    options.out.mkdir(parents=True, exist_ok=True)
    axe = options.axe.read_text("utf-8") if options.axe else ""
    figures = Figures()
    with tempfile.TemporaryDirectory() as place_:
        place = Path(place_)
        for n in range(3):
            began = monotonic()
            with serving(place / f"start-{n}") as address:
                up = monotonic()
                urlopen(address).read()
                figures.start.append((up - began, monotonic() - up))
        things = given(options.data, place)
        with browsing() as seen, serving(place / "projects") as address:
            tour = Tour(seen, options.out, axe, figures, options.seconds, options.docs)
            for name in options.only:
                tour.name, tour.step = name, 0
                WAYS[name](tour, address, things)
                print(f"{name}: from upload to opened downloads", flush=True)
        figures.wrong += seen.wrong
    told(figures, seen)
    return int(bool(figures.wrong))


def told(figures: Figures, seen: Seen) -> None:
    start, first = (median(times) for times in zip(*figures.start, strict=True))
    print(f"\nthe address is there after {start:.2f} s, and the first page {first * 1_000:.0f} ms later (median of 3)")
    print(f"requests: {figures.requests:,}, to {', '.join(sorted(filter(None, seen.hosts)))}")
    for name, size in sorted(figures.bytes.items(), key=lambda pair: -pair[1])[:6]:
        print(f"page of {size / 1_000:6.1f} kB  {name}")
    print("load of the machine: {:.1f}, {:.1f}, {:.1f}; cores: {}".format(*os.getloadavg(), os.cpu_count()))
    for name, found in figures.gaps.items():
        gaps = found or [math.inf]
        waits = [1_000 * wait for wait in figures.waits[name]]
        print(
            f"{name}: the curve moves every {median(gaps):.2f} s, at the longest {max(gaps):.2f} s; "
            f"a page takes {median(waits):.0f} ms, at the longest {max(waits):.0f} ms ({len(waits)} asked for); "
            f"trained in {figures.trained[name]:.0f} s, drawn and judged in {figures.judged[name]:.0f} s"
        )
    print(f"{figures.looked} looks; wrong: {len(figures.wrong)}", *sorted(set(figures.wrong))[:40], sep="\n  ")


if __name__ == "__main__":
    sys.exit(main())
