// Without this script every page works by its links and forms. With it, pages follow what goes on.
"use strict";

// what has not changed stays, and with it where one is and how far one has scrolled
const renew = (place, text) => {
  const fresh = [...new DOMParser().parseFromString(text, "text/html").body.children], old = [...place.children];
  if (fresh.length !== old.length) return place.replaceChildren(...fresh);
  old.forEach((one, i) => {
    if (one.outerHTML === fresh[i].outerHTML) return;
    const left = one.scrollLeft, here = one === document.activeElement;
    one.replaceWith(fresh[i]);
    fresh[i].scrollLeft = left;
    if (here) fresh[i].focus();
  });
};

// -- what goes on: fetch the part anew, and the whole page once it is over ---------------------------------------------
// who is on the way to another page, which may take seconds to come, is not called back by a reload of this one
let left = -Infinity;
addEventListener("beforeunload", () => { left = performance.now(); });
for (const place of document.querySelectorAll("[data-live]")) {
  let said = "";
  const look = async () => {
    try {
      const answer = await fetch(place.dataset.live);
      if (answer.headers.get("x-studio") === "over") {
        if (performance.now() - left > 30_000) return location.reload();
      } else {
        const text = await answer.text();
        if (!("whole" in place.dataset)) renew(place, text);
        const words = place.querySelector("[data-say]")?.dataset.say ?? "";
        if (words !== said) document.getElementById("status").textContent = said = words;
      }
    } catch { /* the studio may have been closed: keep what is shown, and look again */ }
    setTimeout(look, 600);
  };
  setTimeout(look, 300);
}

// -- sliders: the answer follows the hand ------------------------------------------------------------------------------
for (const form of document.querySelectorAll("[data-part]")) {
  const place = document.getElementById(form.dataset.part);
  let waiting = 0, asked = 0;
  const ask = async () => {
    const number = ++asked;
    place.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.from + "?" + new URLSearchParams(new FormData(form)));
      const text = await answer.text();
      if (number === asked) place.innerHTML = text;
    } finally { if (number === asked) place.removeAttribute("aria-busy"); }
  };
  form.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(ask, 150); });
  form.addEventListener("submit", (event) => { event.preventDefault(); ask(); });
}

// -- the map: a click on a real one is its number, typed ---------------------------------------------------------------
document.querySelector("svg.map")?.addEventListener("click", (event) => {
  const row = event.target.closest("[data-row]")?.dataset.row;
  if (row === undefined) return;
  const form = document.querySelector("[data-part=near]");
  form.elements.row.value = row;
  form.requestSubmit();
  form.scrollIntoView();
});

// -- what is filled in is kept at once, so that nothing is lost --------------------------------------------------------
for (const form of document.querySelectorAll("[data-keep]")) {
  form.addEventListener("change", (event) => {
    if (event.target.closest("fieldset.inline, details")) return; // a rule that is not finished yet
    const words = new FormData(form);
    for (const name of ["left", "value", "other"]) words.delete(name);
    fetch(form.action, { method: "POST", body: new URLSearchParams(words), redirect: "manual", keepalive: true });
  });
}

// -- files: drop them anywhere, see how they come ----------------------------------------------------------------------
const form = document.querySelector("[data-upload]");
if (form) {
  const bar = form.querySelector("progress"), said = form.querySelector("[data-said]"), button = form.querySelector("button");
  const say = (words) => { said.textContent = words; said.hidden = !words; };
  const send = (files) => {
    say("");
    if (!files.length) return say("Choose a file or a folder first, or drop one here.");
    const size = files.reduce((sum, [file]) => sum + file.size, 0);
    if (size > Number(form.dataset.most)) return say("That is more than an upload may hold.");
    const body = new FormData();
    body.set("kind", new FormData(form).get("kind"));
    for (const [file, path] of files) body.append("files", file, path);
    const request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.upload.onprogress = (event) => { bar.value = event.loaded / event.total; };
    request.onload = () => {
      button.disabled = false;
      bar.hidden = true;
      if (request.status < 400) { location.href = request.responseURL; return; }
      const page = new DOMParser().parseFromString(request.responseText, "text/html");
      say(page.querySelector("[role=alert]")?.textContent ?? "That did not work; try again.");
    };
    request.onerror = () => { button.disabled = false; bar.hidden = true; say("The upload broke off: it may be too large, or the studio was closed."); };
    button.disabled = true;
    bar.hidden = false;
    request.send(body);
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
    send(chosen.map((file) => [file, file.webkitRelativePath || file.name]));
  });
  const walk = async (entry) => {
    if (entry.isFile) return [[await new Promise((done, fail) => entry.file(done, fail)), entry.fullPath.slice(1)]];
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) return found;
      for (const one of some) found.push(...await walk(one));
    }
  };
  addEventListener("dragover", (event) => { event.preventDefault(); form.classList.add("over"); });
  addEventListener("dragleave", () => form.classList.remove("over"));
  addEventListener("drop", async (event) => {
    event.preventDefault();
    form.classList.remove("over");
    const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
    send((await Promise.all(entries.map(walk))).flat());
  });
}
