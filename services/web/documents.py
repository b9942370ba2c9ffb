"""The API's own description: tags, stable operation ids, and an example of every answer."""

from __future__ import annotations

from fastapi.routing import APIRoute

TAGS = [
    {"name": "places", "description": "The cities that are forecast."},
    {
        "name": "forecasts",
        "description": "Forecasts by city and by run, what follows from them, and how they came true.",
    },
    {"name": "observations", "description": "What was observed, by hour."},
    {"name": "warnings", "description": "Warnings in force and their history, as GeoJSON, CAP and a feed."},
    {"name": "maps", "description": "Maps and charts as pictures."},
    {"name": "service", "description": "Health, readiness, the cycles, and what problems mean."},
]


def operation_id(route: APIRoute) -> str:
    """Return a route's operation id, made of its first tag and its function: it stays when the path changes."""
    tags = [str(tag) for tag in route.tags]
    return f"{tags[0]}_{route.name}" if tags else route.name
