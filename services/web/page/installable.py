"""What lets a phone install the page and show the last forecast off line: a manifest and a service worker."""

from __future__ import annotations

import json
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from hazecast.services.web.page.answers import STATIC, answer, static_prefix
from hazecast.services.web.page.words import preferred, words

_WORKER = STATIC / "worker" / "worker.js"


def installable_routes(seconds: int) -> list[BaseRoute]:
    """Return the routes of the manifest (W3C, Web Application Manifest) and of the service worker, which rules the whole site.

    Parameters
    ----------
    seconds : int
        For how long a cache may answer with the manifest.

    Returns
    -------
    list of BaseRoute
    """

    def manifest(request: Request) -> Response:
        wording = words(preferred(request.headers.get("accept-language", ""), request.query_params.get("lang")))
        icons = [
            {"src": f"{static_prefix()}/icon-{size}.png", "sizes": f"{size}x{size}", "type": "image/png"}
            for size in (192, 512)
        ]
        content = {
            "id": "/",
            "name": f"Hazecast · {wording.say('title')}",
            "short_name": "Hazecast",
            "description": wording.say("description"),
            "lang": wording.catalog.tag,
            "start_url": "/",
            "scope": "/",
            "display": "standalone",
            "background_color": "#f3f5f7",
            "theme_color": "#14547a",
            "icons": icons,
        }
        return answer(request, json.dumps(content, ensure_ascii=False), "application/manifest+json", seconds=seconds)

    def worker(request: Request) -> Response:
        return answer(request, _worker(), "text/javascript; charset=utf-8", seconds=0)

    return [Route("/manifest.webmanifest", manifest), Route("/service-worker.js", worker)]


@lru_cache
def _worker() -> str:
    """Return the worker, whose cache is that of this version of the page's files."""
    return _WORKER.read_text(encoding="utf-8").replace("VERSION", static_prefix().rsplit("/", 1)[-1])
