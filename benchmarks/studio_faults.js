// What every page must keep to, said as the faults that it has. A string of each: what, and where.
() => {
  const faults = [], seen = (e) => e.getClientRects().length && getComputedStyle(e).visibility !== "hidden";
  const say = (what, e) => faults.push(what + ": " + (e ? e.outerHTML.slice(0, 120) : ""));
  const name = (e) => (e.getAttribute("aria-label") || [...(e.labels || [])].map((l) => l.textContent).join("") ||
    e.title || (e.matches("button, a, summary") ? e.textContent + [...e.querySelectorAll("title")].map((t) => t.textContent) : "")).trim();
  if (!document.documentElement.lang) say("no language");
  if (!document.title) say("no title");
  if (document.querySelectorAll("h1").length !== 1) say("not one h1");
  if (document.querySelectorAll("main").length !== 1) say("not one main");
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href], progress, summary"))
    if (seen(e) && !name(e)) say("nameless", e);
  for (const e of document.querySelectorAll("img")) if (!e.alt) say("no words for a picture", e);
  for (const e of document.querySelectorAll("svg")) if (e.getAttribute("role") !== "img" || !e.querySelector("title")) say("no words", e);
  for (const e of document.querySelectorAll("[role=img] a, [role=img] button, [role=img] [tabindex]")) say("hidden in a picture", e);
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) say("twice " + id);
  let last = 1;
  for (const e of document.querySelectorAll("h1, h2, h3, h4")) {
    const level = Number(e.tagName[1]);
    if (seen(e) && level > last + 1) say("a level left out", e);
    if (seen(e)) last = level;
  }
  for (const e of document.querySelectorAll("th")) if (!e.scope) say("a heading of nothing", e);
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) say("an order of its own", e);

  // contrast of text, 4.5 to 1
  const parts = (c) => c.match(/[\d.]+/g).map(Number);
  const light = (c) => { const [r, g, b] = parts(c).slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (parts(c)[3] !== 0) return c; } return "rgb(255, 255, 255)"; };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !seen(e) || e.closest("svg, script, .visually-hidden, noscript, button:disabled")) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) say("too faint, " + ((a + 0.05) / (b + 0.05)).toFixed(2), e);
  }
  return faults;
}
