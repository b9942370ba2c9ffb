"""What the edge costs a request: the same bytes from a bare Starlette application, with and without it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from hazecast.services.store.shared import Shared
from hazecast.services.store.store import Store
from hazecast.services.web.edge.protect import protect
from tests.support.settings import make_settings

REQUESTS = 2_000
BODY = b"x" * 20_000


async def hot(_: Any) -> Response:
    return Response(BODY)


def ask(app: Any) -> None:
    """Send requests straight into an application: no server, no client, nothing but the layers."""
    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "http_version": "1.1",
        "scheme": "http", "client": ("203.0.113.9", 1), "server": ("h", 80), "root_path": "", "asgi": {"version": "3.0"},
        "headers": [(b"host", b"h"), (b"accept", b"*/*"), (b"user-agent", b"bench"), (b"accept-encoding", b"gzip")],
    }  # fmt: skip

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        return None

    async def many() -> None:
        for _ in range(REQUESTS):
            await app({**scope, "state": {}}, receive, send)

    asyncio.run(many())


@pytest.mark.benchmark(group="edge: 2000 requests")
@pytest.mark.parametrize("way", ["bare", "with the edge"])
def test_the_edge(benchmark, tmp_path, way) -> None:
    if way == "bare":
        app: Any = Starlette(routes=[Route("/", hot)])
    else:
        settings = make_settings(data_dir=tmp_path, rate_anonymous=10**9, allowed_hosts=("h",), cors_origins=("*",))
        app = FastAPI(docs_url=None, openapi_url=None)
        app.router.routes.append(Route("/", hot))
        store = Store(settings.database_url)
        shared = Shared(settings.database_url)
        shared.prepare()
        protect(app, settings, store.sessions, shared)
    benchmark.pedantic(ask, args=(app,), rounds=5, warmup_rounds=1)
