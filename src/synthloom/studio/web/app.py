"""The application: every page's routes, what happens when something is refused, and the guard before all of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from synthloom.errors import SynthloomError
from synthloom.studio.intake import TooLargeError
from synthloom.studio.web.guard import Guard
from synthloom.studio.web.pages import PAGES
from synthloom.studio.web.state import Studio
from synthloom.studio.web.view import drawing, part

__all__ = ["application"]

_SWEEP = 3600.0


def application(studio: Studio) -> Guard:
    """The studio as what a server serves."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        studio.projects.recover()
        meanwhile = [asyncio.create_task(_sweep(studio)), asyncio.create_task(asyncio.to_thread(drawing))]
        yield
        for task in meanwhile:
            task.cancel()
        studio.close()

    # no page that describes the others: who has not the token shall see nothing, and who has it sees the pages
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.state.studio = studio
    for routes in PAGES:
        app.include_router(routes)

    @app.exception_handler(SynthloomError)
    def refused(request: Request, error: SynthloomError) -> HTMLResponse:
        return part(request, "refused.html", 413 if isinstance(error, TooLargeError) else 400, said=str(error))

    @app.exception_handler(HTTPException)
    def missing(request: Request, error: HTTPException) -> Response:
        said = "There is no such page or project here; it may have been deleted." if error.status_code == 404 else ""
        return part(request, "refused.html", error.status_code, said=said or "This cannot be asked here.")

    return Guard(app, studio)


async def _sweep(studio: Studio) -> None:
    """Delete what has lain untouched for the stated time, now and every hour."""
    while True:
        await asyncio.to_thread(studio.projects.sweep)
        await asyncio.sleep(_SWEEP)
