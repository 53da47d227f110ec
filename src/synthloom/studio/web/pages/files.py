"""What can be taken along, the report, and what pages are made of. Only names of a list lead to a file."""

from __future__ import annotations

import re
from importlib.resources import files as resources

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from synthloom.studio.projects import Project
from synthloom.studio.web.state import Here

__all__ = ["offered", "routes"]

routes = APIRouter()

_OFFERED = {
    "synthetic.csv": ("CSV", "text/csv; charset=utf-8", "opens in any spreadsheet; cannot run there as a formula"),
    "synthetic.parquet": ("Parquet", "application/vnd.apache.parquet", "keeps types exactly"),
    "synthetic.jsonl": ("JSON lines", "application/jsonl", "one text a line, with its label"),
    "synthetic.zip": ("Pictures (zip)", "application/zip", "PNG files, a folder for each label"),
    "synthetic.npz": ("NumPy", "application/zip", "one array"),
    "report.html": ("Report", "text/html; charset=utf-8", "one page, fit to be shared: it shows no single real one"),
    "model.loom": ("Model", "application/octet-stream", "to draw from elsewhere; as sensitive as the data it has seen"),
}
"""File -> what it is called, its media type, and what it is good for."""

_STATIC = {
    "report.css": ("reporting/templates/report.css", "text/css; charset=utf-8"),
    "studio.css": ("studio/web/static/studio.css", "text/css; charset=utf-8"),
    "studio.js": ("studio/web/static/studio.js", "text/javascript; charset=utf-8"),
}

_REPORT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'none'"
"""The report brings its style along; it runs nothing, and is cut off from the pages around it."""


def offered(project: Project) -> list[dict[str, str]]:
    """The files that there are."""
    found = []
    for name, (title, _, about) in _OFFERED.items():
        path = project.path(name)
        if path.exists() and (project.has_result or name == "model.loom"):
            found.append({"name": name, "title": title, "about": about, "size": _size(path.stat().st_size)})
    return found


@routes.get("/p/{id}/files/{name}")
def download(project: Here, name: str) -> Response:
    """A file, under a name made of letters that every system takes."""
    if name not in _OFFERED or not project.path(name).exists():
        raise HTTPException(404)
    stem = re.sub(r"[^A-Za-z0-9]+", "-", project.card["name"].split(".")[0]).strip("-")[:40] or "project"
    return FileResponse(project.path(name), media_type=_OFFERED[name][1], filename=f"{stem}-{name}")


@routes.get("/p/{id}/report")
def report(project: Here) -> Response:
    """The full report, to be read here."""
    if not project.path("report.html").exists() or not project.has_result:
        raise HTTPException(404)
    text = project.path("report.html").read_text("utf-8")
    return HTMLResponse(text, headers={"content-security-policy": _REPORT})


@routes.get("/static/{name}")
def static(request: Request, name: str) -> Response:
    """Style and script, from within the package."""
    if name not in _STATIC:
        raise HTTPException(404)
    path, media = _STATIC[name]
    return Response(resources("synthloom").joinpath(path).read_bytes(), media_type=media)


def _size(size: int) -> str:
    """
    >>> _size(900), _size(2_500_000)
    ('900 B', '2.5 MB')
    """
    for unit in ("B", "kB", "MB"):
        if size < 1_000:
            return f"{size:.3g} {unit}"
        size = size / 1_000  # type: ignore[assignment]
    return f"{size:.3g} GB"
