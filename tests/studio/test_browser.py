"""The whole way in a real browser, where there is one: a table by mouse, texts by keyboard alone, images from a folder.

On every page: requests to this machine alone, no error, no dialog, and what makes it usable by everybody (`Seen`).
"""

import io
import json
import zipfile

import numpy as np
import pandas as pd
from PIL import Image

from synthloom import datasets


def test_a_table_by_mouse(seen, browser, tmp_path):
    downloaded = browser.downloaded
    page, path = seen.page, tmp_path / "visits.csv"
    datasets.visits(300, seed=0).assign(**{"<svg onload=alert(1)>": 1}).to_csv(path, index=False)
    page.get_by_role("button", name="Read it").click()
    page.get_by_text("Choose a file or a folder first").wait_for()
    page.get_by_label("A file, several, or a zip").set_input_files(path)
    page.get_by_role("button", name="Read it").click()

    page.get_by_role("button", name="On to the rules").wait_for()
    page.get_by_label("Role of cost").select_option("out")
    page.get_by_label("Role of readmitted").select_option("target")
    seen.assert_good()
    page.get_by_role("button", name="On to the rules").click()

    page.locator("select[name=left]").select_option("age")
    page.locator("input[name=value]").fill("90")
    page.get_by_role("button", name="Add the rule").click()
    assert page.locator("input[name=rule]").first.input_value() == "`age` <= 90"
    page.get_by_label("Keep rare things back").uncheck()  # kept at once, without a button
    page.wait_for_load_state("networkidle")
    page.reload()
    assert not page.get_by_label("Keep rare things back").is_checked()
    page.get_by_label("Keep rare things back").check()
    seen.assert_good()
    page.get_by_role("button", name="On to training").click()

    seen.assert_good()
    page.get_by_text("More", exact=True).click()
    page.locator("#model").select_option("tvae")
    page.locator("#epochs").fill("100000")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("img", name="Loss while training").wait_for()
    page.locator(".scroll table.data tbody tr").first.wait_for()  # what it would draw by now
    looks = page.evaluate(
        """() => new Promise((done) => { let looks = 0; const began = performance.now();
        new MutationObserver(() => { if (++looks === 4) done(performance.now() - began); }).observe(
        document.querySelector("[data-live]"), {childList: true}); })"""
    )
    assert looks > 0  # it moves by itself; how fast is not for a test to say
    seen.assert_good()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Go on where it was").wait_for()
    seen.assert_good()
    page.get_by_role("button", name="Go on where it was").click()
    page.get_by_role("button", name="Stop early").click()
    page.get_by_role("link", name="Draw from it").wait_for()
    seen.assert_good()
    page.get_by_role("link", name="Draw from it").click()

    seen.assert_good()
    page.locator("#n").fill("210")
    page.get_by_role("group", name="ward").get_by_label("surgery").check()
    page.get_by_role("group", name="age").get_by_label("From").fill("40")
    page.get_by_role("button", name="Draw", exact=True).click()
    page.get_by_role("link", name="The full report").wait_for()
    seen.assert_good()
    frame = pd.read_csv(io.BytesIO(downloaded(page, page.get_by_role("link", name="CSV").click)))
    assert len(frame) == 210
    assert set(frame["ward"]) == {"surgery"}
    assert frame["age"].between(40, 90).all()
    assert "cost" not in frame
    same = pd.read_parquet(io.BytesIO(downloaded(page, page.get_by_role("link", name="Parquet").click)))
    assert same["age"].tolist() == frame["age"].tolist()
    assert downloaded(page, page.get_by_role("link", name="Report", exact=True).click)[:15] == b"<!doctype html>"
    assert downloaded(page, page.get_by_role("link", name="Model", exact=True).click)[:2] == b"PK"

    page.get_by_role("link", name="Look into the latent").click()
    page.get_by_role("img", name="Where they lie").wait_for()
    seen.assert_good()
    before = page.locator("#near").inner_text()
    page.locator("[data-part=near] input[type=range]").fill("90")
    page.get_by_text("Near it, at 90 %").wait_for()
    assert page.locator("#near").inner_text() != before
    point = page.locator("svg.map [data-row='9']")
    point.dispatch_event("click")
    assert page.locator("[data-part=near] input[name=row]").input_value() == "9"
    seen.assert_good()
    page.get_by_role("link", name="synthloom studio").click()
    page.get_by_role("link", name="Delete visits.csv").click()
    seen.assert_good()
    page.get_by_role("button", name="Delete it").click()
    page.get_by_text("None yet.").wait_for()
    assert [path.name for path in (tmp_path / "projects").iterdir()] == ["studio.lock"]


def test_texts_by_keyboard_alone(seen, browser, tmp_path):
    downloaded, tab_to = browser.downloaded, browser.tab_to
    page, path = seen.page, tmp_path / "notes.csv"
    notes = datasets.notes(160, seed=0)
    notes.to_csv(path, index=False)
    keys = page.keyboard
    tab_to(page, ".skip")
    keys.press("Enter")
    tab_to(page, "input[name=kind]")
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    assert page.get_by_label("Texts", exact=True).is_checked()
    tab_to(page, "#files")
    page.locator("#files").set_input_files(path)  # the dialog that Enter opens is the system's own
    tab_to(page, "[data-upload] button")
    keys.press("Enter")

    page.get_by_role("link", name="On to the rules").wait_for()
    assert page.get_by_text("Labels", exact=True).is_visible()
    seen.assert_good()
    tab_to(page, "main a.button")
    keys.press("Enter")
    page.get_by_role("button", name="On to training").wait_for()
    seen.assert_good()
    tab_to(page, "button[name=next]")
    keys.press("Enter")

    page.wait_for_url("**/train")
    tab_to(page, "summary")
    keys.press("Enter")
    tab_to(page, "#model")
    keys.type("GRU")
    tab_to(page, "#epochs")
    keys.type("2")
    keys.press("Enter")
    page.get_by_role("link", name="Draw from it").wait_for()
    seen.assert_good()
    tab_to(page, "main a.button")
    keys.press("Enter")

    page.wait_for_url("**/draw")
    tab_to(page, "#n")
    keys.press("Control+a")
    keys.type("60")
    tab_to(page, "fieldset input")
    keys.press("ArrowDown")
    label = page.locator("fieldset input:checked").get_attribute("value")
    keys.press("Enter")
    page.get_by_text("Judging: models").wait_for()  # which takes long for texts; nobody has to wait for the verdict
    seen.assert_good()
    tab_to(page, "a[href$='synthetic.jsonl']")
    drawn = [json.loads(line) for line in downloaded(page, lambda: keys.press("Enter")).decode().splitlines()]
    assert len(drawn) == 60
    assert {entry["label"] for entry in drawn} == {label or drawn[0]["label"]}
    assert not {entry["text"] for entry in drawn} & set(notes["text"])

    # the verdict comes while one is on the way to a page that takes its time, and calls nobody back
    slow = []
    over = {"x-studio": "over"}
    page.route("**/latent", lambda asked: slow.append(asked))
    page.route("**/result/live*", lambda asked: asked.fulfill(headers=over) if slow else asked.continue_())
    tab_to(page, "a.button[href$=latent]")
    with page.expect_response(lambda answer: answer.headers.get("x-studio") == "over"):
        keys.press("Enter")
    page.wait_for_timeout(300)  # for what must not happen
    slow[0].continue_()
    page.unroute_all()
    page.get_by_role("heading", name="From one to another").wait_for()
    tab_to(page, "textarea[name=text_a]")
    keys.type(notes["text"][0])
    tab_to(page, "textarea[name=text_b]")
    keys.type(notes["text"][1])
    tab_to(page, "input[name=share]")
    keys.press("ArrowRight")
    page.get_by_text("5 of 8 on the way").wait_for()
    seen.assert_good()


def test_images_from_a_folder(seen, browser, tmp_path):
    downloaded = browser.downloaded
    page, folder = seen.page, tmp_path / "shapes"
    images, labels = datasets.shapes(120)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{i}.png")
    page.get_by_label("Or a whole folder").set_input_files(folder)
    page.get_by_role("button", name="Read it").click()
    page.get_by_role("link", name="On to the rules").wait_for()
    assert all(page.get_by_text(str(label)).count() for label in set(labels))
    seen.assert_good()
    page.get_by_role("link", name="On to the rules").click()
    page.get_by_role("button", name="On to training").click()
    page.get_by_text("More", exact=True).click()
    page.locator("#epochs").fill("2")
    page.get_by_role("button", name="Train", exact=True).click()
    page.get_by_role("link", name="Draw from it").click()
    page.locator("#n").fill("50")
    page.get_by_role("button", name="Draw", exact=True).click()
    page.get_by_role("link", name="The full report").wait_for()
    seen.assert_good()
    pictures = zipfile.ZipFile(io.BytesIO(downloaded(page, page.get_by_role("link", name="Pictures (zip)").click)))
    assert len(pictures.namelist()) == 50
    assert {name.split("/")[0] for name in pictures.namelist()} <= set(map(str, labels))
    with Image.open(pictures.open(pictures.namelist()[0])) as picture:
        assert np.asarray(picture).shape == images[0].shape

    page.get_by_role("link", name="Look into the latent").click()
    page.get_by_role("heading", name="What single numbers do").wait_for()
    before = page.locator("#near img").last.get_attribute("src")
    page.locator("[data-part=near] input[type=range]").fill("100")
    page.get_by_text("Near it, at 100 %").wait_for()
    assert page.locator("#near img").last.get_attribute("src") != before
    assert page.locator("#moved img").count() == 1
    assert page.locator("[data-part=way] input[type=range]").count() == 0  # all of the way is shown at once
    seen.assert_good()
