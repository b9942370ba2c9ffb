"""The API's own description: tags, stable operation ids, problems, and a real example of every answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from hazecast.services.web.problems import PROBLEM, problem

TAGS = [
    {"name": "places", "description": "The cities that are forecast."},
    {
        "name": "forecasts",
        "description": "Forecasts by city and by run, what is derived from them, and how they verified.",
    },
    {"name": "observations", "description": "What was observed, by hour."},
    {"name": "warnings", "description": "Warnings in force and their history, as GeoJSON, CAP and a feed."},
    {"name": "maps", "description": "Maps and charts as pictures."},
    {"name": "events", "description": "What happens, as it happens, as server-sent events."},
    {"name": "subscriptions", "description": "Who is notified of what, and the delivery of each message."},
    {"name": "service", "description": "Health, readiness, the cycles, and what problems mean."},
]
EXAMPLES = Path(__file__).with_name("examples.json")
_METHODS = ("get", "put", "post", "patch", "delete")
_PROBLEM: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/ProblemOut"}}


def operation_id(route: APIRoute) -> str:
    """Return a route's operation id, made of its first tag and its function: it doesn't change with the path."""
    tags = [str(tag) for tag in route.tags]
    return f"{tags[0]}_{route.name}" if tags else route.name


@lru_cache
def examples() -> dict[str, dict[str, Any]]:
    """Return the examples of answers: by operation id, then by media type."""
    found: dict[str, dict[str, Any]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield path, method and description of every operation of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                yield path, method, methods[method]


def describe(app: FastAPI) -> None:
    """Make the app describe every error as the problem it is, and give its answers' examples."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            for _, _, operation in operations(document):
                _describe_problems(operation)
                _describe_headers(operation)
                for media, example in examples().get(operation["operationId"], {}).items():
                    operation["responses"]["200"]["content"].setdefault(media, {})["example"] = deepcopy(example)
            document["components"]["schemas"].pop("HTTPValidationError", None)
            document["components"]["schemas"].pop("ValidationError", None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_problems(operation: dict[str, Any]) -> None:
    anywhere = {
        "400": "Unreadable request",
        "401": "An invalid key",
        "429": "Too many requests",
        "503": "Unavailable",
    }
    with_body = (
        {"408": "A body that is sent too slowly", "413": "Too large a body"} if "requestBody" in operation else {}
    )
    for status, words in (anywhere | with_body).items():
        operation["responses"].setdefault(status, {"description": words})
    for status, response in operation["responses"].items():
        if not status.isdigit() or int(status) < 400:
            continue
        example = json.loads(
            bytes(problem(int(status), _DETAILS.get(int(status), HTTPStatus(int(status)).phrase)).body)
        )
        response["content"] = {PROBLEM: {**_PROBLEM, "example": example}}


def _describe_headers(operation: dict[str, Any]) -> None:
    unchanged = operation["responses"].get("304")
    if unchanged is not None:
        unchanged.setdefault("headers", {})["ETag"] = {"schema": {"type": "string"}}


_DETAILS = {
    404: "city: found bejing; expected a known city id, such as beijing",
    406: "Accept: found image/png; this is answered as one of application/json, text/csv",
    422: "level: found blue; expected one of orange, red, yellow",
    503: "the newest forecast is 20.1 h old, more than 18 h",
}
