"""Learning: begin, watch, pause, stop early, go on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from synthloom.errors import UsageError
from synthloom.studio.web.forms import form, whole
from synthloom.studio.web.state import Here, TheStudio
from synthloom.studio.web.view import drawing, go, page, part

__all__ = ["routes"]

routes = APIRouter()

MODELS = {
    "table": {"nvae": "NVAE: the best, and the default", "tvae": "TVAE: simpler and quicker"},
    "text": {
        "nvae": "NVAE: the best, and the default",
        "gru": "GRU: simpler and quicker",
        "vtp": "Transformer, one vector",
    },
    "image": {"conv": "Convolutions: the default", "nvae": "NVAE, on patches"},
}
MINUTES = {1: "1 minute", 5: "5 minutes", 15: "15 minutes", 60: "an hour", 0: "as long as it takes"}


@routes.get("/p/{id}/train")
def train(request: Request, project: Here) -> Response:
    """How it goes, or what there is to begin with."""
    if not project.is_read:
        return go(request, f"/p/{project.id}/data")
    return page(request, "train", project, **_facts(project), MODELS=MODELS[project.kind], MINUTES=MINUTES)


@routes.get("/p/{id}/train/live")
def live(request: Request, project: Here) -> Response:
    """Only what changes; who follows it is told to load the page anew once it is over."""
    answer = part(request, "live.html", figures=drawing(), job=project.job, **_facts(project))
    if not project.busy:
        answer.headers["x-studio"] = "over"
    return answer


@routes.post("/p/{id}/train")
async def begin(request: Request, project: Here, studio: TheStudio) -> Response:
    """Begin, or go on where it was left."""
    sent = await form(request)
    go_on = "go_on" in sent and project.can_go_on
    if not go_on:
        model = sent.get("model")
        if model and model not in MODELS[project.kind]:
            raise UsageError(f"the model must be one of {', '.join(MODELS[project.kind])}, however: {model[:20]!r}")
        project.change(
            "settings",
            model=model or None,
            minutes=whole(sent.get("minutes"), "minutes", 0, 10_000, 5),
            epochs=whole(sent.get("epochs"), "rounds", 1, 100_000),
            seed=whole(sent.get("seed"), "seed", 0, 2**31, 0),
        )
    studio.explorer.close(project)
    studio.jobs.start(project, "train", go_on=go_on)
    project.touch()
    return go(request, f"/p/{project.id}/train")


@routes.post("/p/{id}/train/wish")
async def wish(request: Request, project: Here, studio: TheStudio) -> Response:
    """Pause, or stop early with what has been learnt."""
    word = (await form(request)).get("wish")
    if word not in ("pause", "stop"):
        raise UsageError(f'a wish must be "pause" or "stop", however: {word[:20]!r}')
    studio.jobs.wish(project, word)
    return go(request, f"/p/{project.id}/train")


def _facts(project: Here) -> dict[str, Any]:
    wishes = project.path("wish")
    return {
        "live": project.load("live") if project.job.get("action") == "train" else {},
        "wish": wishes.read_text() if wishes.exists() else "",
        "settings": project.load("settings"),
        "model": project.load("model"),
        "things": project.load("facts").get("things", "items"),
    }
