"""All rows of a list that the API answers in pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi.testclient import TestClient


def pages(client: TestClient, address: str, headers: dict[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """Yield the items of a list, page after page by the header Link, which agrees with `next`."""
    while address:
        answer = client.get(address, headers=headers)
        yield from answer.json()["items"]
        address = answer.links.get("next", {}).get("url", "")
        assert bool(address) == (answer.json()["next"] is not None)
