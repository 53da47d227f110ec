"""Does a report look right in a browser, on a phone, in a small window and on a large screen?

    python benchmarks/report_in_browser.py report.html ... [--out FOLDER] [--browser chromium] [--axe axe.min.js]

Opens each page in a headless Chromium at 360, 800 and 1,400 pixels and fails if it asks for anything but itself, says
anything on the console, is wider than the window, has texts on top of each other, or has something without a name for
a screen reader. `axe.min.js` of axe-core, where there is one, looks for more. Pictures of whole pages go to --out.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTHS = 360, 800, 1400
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-quic"),
)

LAYOUT = """(() => {
  const shown = element => element.checkVisibility() && !element.closest(".visually-hidden, .skip, title, desc");
  const texts = [], wide = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    if (!node.data.trim() || !shown(node.parentElement)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      texts.push({node, text: node.data.trim().slice(0, 40), box});
      if (box.right > innerWidth + 1 || box.left < -1) wide.push(node.data.trim().slice(0, 40));
    }
  }
  texts.sort((a, b) => a.box.top - b.box.top);
  const over = [];
  texts.forEach((one, i) => {
    for (let j = i + 1; j < texts.length && texts[j].box.top < one.box.bottom - SLACK; j++) {
      const other = texts[j];
      const across = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const down = Math.min(one.box.bottom, other.box.bottom) - other.box.top;
      if (one.node !== other.node && across > SLACK && down > SLACK) over.push(one.text + " / " + other.text);
    }
  });
  const page = document.documentElement;
  return {over, wide, beyond: Math.max(0, page.scrollWidth - innerWidth), height: page.scrollHeight};
})()""".replace("SLACK", "2.5")
"""Texts whose boxes overlap by more than 2.5 pixels both ways (the boxes are taller than the letters), and what sticks
out of the window."""

NAMED = {"link", "heading", "image", "img", "graphics-document", "table", "columnheader", "rowheader", "navigation"}
"""What a screen reader announces by name."""


class Tab:
    """One page of a browser, spoken to over a pipe: https://chromedevtools.github.io/devtools-protocol"""

    def __init__(self, to: int, answers: int) -> None:
        self.to, self.answers = os.fdopen(to, "wb"), os.fdopen(answers, "rb")
        self.said: list[dict[str, Any]] = []
        self.calls, self.rest, self.session = 0, b"", None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Accessibility"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self.calls += 1
        message = {"id": self.calls, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.to.write(json.dumps(message).encode() + b"\0")
        self.to.flush()
        while (found := self._next()).get("id") != self.calls:
            self.said.append(found)
        if "error" in found:
            raise RuntimeError(f"{method}: {found['error']}")
        return found["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            part = os.read(self.answers.fileno(), 1 << 16)
            if not part:
                raise RuntimeError("the browser has gone")
            self.rest += part
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def events(self, method: str) -> list[dict[str, Any]]:
        return [message["params"] for message in self.said if message.get("method") == method]

    def open(self, address: str) -> None:
        self.ask("Page.navigate", url=address)
        while not self.events("Page.loadEventFired"):
            self.said.append(self._next())

    def value(self, expression: str) -> Any:
        found = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"])
        return found["result"].get("value")


@contextmanager
def tab(browser: str) -> Iterator[Tab]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        (theirs_in, to), (answers, theirs_out) = os.pipe(), os.pipe()

        def place() -> None:  # the browser reads from 3 and writes to 4
            ends = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        command = [browser, *QUIET, "--remote-debugging-pipe", f"--user-data-dir={home}", "about:blank"]
        process = subprocess.Popen(command, close_fds=False, preexec_fn=place, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Tab(to, answers)
        finally:
            process.terminate()
            process.wait(20)


def look(page: Path, browser: str, axe: str | None = None, out: Path | None = None) -> list[str]:
    """All that is wrong with a page, in words; pictures of it to a folder."""
    wrong = []
    with tab(browser) as tab_:
        tab_.open(page.resolve().as_uri())
        for width in WIDTHS:
            tab_.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            layout = tab_.value(LAYOUT)
            wrong += [f"{width}: on top of each other: {pair}" for pair in layout["over"]]
            wrong += [f"{width}: sticks out: {text}" for text in layout["wide"]]
            if layout["beyond"]:
                wrong.append(f"{width}: {layout['beyond']} pixels wider than the window")
            if axe:
                tab_.value(axe + ";0")
                found = tab_.value("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations)")
                wrong += [f"{width}: {v['id']}: {v['help']}, {v['nodes'][0]['html'][:100]}" for v in found]
            if out:
                tab_.ask(
                    "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
                )
                picture = tab_.ask(
                    "Page.captureScreenshot",
                    captureBeyondViewport=True,
                    clip={"x": 0, "y": 0, "width": width, "height": layout["height"], "scale": 1},
                )
                (out / f"{page.stem}-{width}.png").write_bytes(base64.b64decode(picture["data"]))
        for node in tab_.ask("Accessibility.getFullAXTree")["nodes"]:
            role = node.get("role", {}).get("value")
            if role in NAMED and not node.get("ignored") and not node.get("name", {}).get("value"):
                wrong.append(f"without a name: {role}")
        asked = {event["request"]["url"] for event in tab_.events("Network.requestWillBeSent")}
        wrong += [f"asks for {address[:100]}" for address in sorted(asked - {page.resolve().as_uri()})]
        wrong += [f"console: {event['entry']['text']}" for event in tab_.events("Log.entryAdded")]
        wrong += [f"console: {event['args']}" for event in tab_.events("Runtime.consoleAPICalled")]
        wrong += [f"exception: {event['exceptionDetails']['text']}" for event in tab_.events("Runtime.exceptionThrown")]
        print(f"{page.name}: {page.stat().st_size / 1e3:,.0f} kB, {len(asked)} request(s): {', '.join(sorted(asked))}")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--browser", default="chromium")
    parser.add_argument("--axe", type=Path)
    options = parser.parse_args()
    browser = shutil.which(options.browser)
    if browser is None:
        parser.error(f"there must be a browser, however: {options.browser} is not found; say where with --browser")
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    axe = options.axe.read_text("utf-8") if options.axe else None
    wrong = {page: look(page, browser, axe, options.out) for page in options.pages}
    for page, found in wrong.items():
        print(f"{page.name}: {'nothing wrong' if not found else ''}", *found, sep="\n  " if found else "")
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
