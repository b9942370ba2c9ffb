"""The examples in the API's description, taken from real answers and cut short: ``make examples`` writes them anew.

They are answers to the haze of January 2013 in Beijing, from the collection "five-cities".
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from hazecast.services.web.documents import EXAMPLES, operations
from hazecast.services.web.negotiate import MEDIA_TYPES
from tests.support.settings import make_settings

# A stream has no end, and no example but what happens.
BINARY = ("image/", "application/pdf", "application/x-netcdf", "application/vnd.apache.parquet", "text/event-stream")
_LONG_TEXT, _LONG_LIST = 400, 8


def path_arguments(client: TestClient) -> dict[str, str]:
    """Return a value that exists for each path parameter."""
    warnings = client.get("/v1/warnings", params={"state": "all", "limit": 1}).json()["features"]
    init_time = client.get("/v1/forecasts?limit=1").json()["items"][0]["init_time"]
    found = {"city_id": "beijing", "warning_id": warnings[0]["id"], "init_time": init_time, "name": "not-found"}
    return found | {"study": "budget"}


def cut(value: Any, name: str = "") -> Any:
    """Return an answer short enough to read: few rows, no long texts; its shape stays."""
    if isinstance(value, dict):
        return {key: cut(part, key) for key, part in value.items()}
    if isinstance(value, list):
        if name == "coordinates":
            return value
        rows = value[:1] if value and isinstance(value[0], dict) else value
        return [cut(part) for part in (rows[:3] if len(rows) > _LONG_LIST else rows)]
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return value[:_LONG_TEXT] + "…"
    return value


def make(client: TestClient) -> dict[str, dict[str, Any]]:
    """Return an example of every public answer in text: by operation id, then by media type."""
    known, found = path_arguments(client), {}
    document = client.get("/openapi.json").json()
    for path, method, operation in operations(document):
        names = [p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"]
        if method != "get" or not set(names) <= set(known) or "security" in operation:
            continue
        answers = {}
        for media in operation["responses"]["200"].get("content", {}):
            if media.startswith(BINARY):
                continue
            address = path.format(**known)
            form = next((name for name, kind in MEDIA_TYPES.items() if kind == media), None)
            asked = any(p["name"] == "format" for p in operation.get("parameters", ()))
            answer = client.get(address, params={"format": form} if asked and form else {})
            if answer.status_code == 200 and answer.headers["content-type"].startswith(media):
                answers[media] = cut(answer.json()) if "json" in media else cut(answer.text)
        if answers:
            found[operation["operationId"]] = answers
    return found


def main(data: Path) -> None:
    """Run the cycle of the episode, and write its answers."""
    from datetime import UTC, datetime

    from hazecast.services.web.app import create_app
    from hazecast.services.work.cycle import run_cycle

    with tempfile.TemporaryDirectory() as folder:
        settings = make_settings(
            data_dir=Path(folder),
            observations_dir=data / "five-cities",
            weather="observed",
            stale_after_hours=1e9,
        )
        run_cycle(settings, init_time=datetime(2013, 1, 11, 22, tzinfo=UTC))
        made = make(TestClient(create_app(settings)))
    EXAMPLES.write_text(json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{EXAMPLES}: {len(made)} operations")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="folder of the real data, with five-cities")
    main(parser.parse_args().data)
