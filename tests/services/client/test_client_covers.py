"""The client beside the API's own description: what can be read or subscribed to has a method, and every argument a name."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from hazecast.services.client import Change, Client, NewSubscription, RefusedError
from hazecast.services.web.app import create_app
from hazecast.services.web.documents import operations
from tests.support.settings import make_settings

INIT = datetime(2013, 1, 11, 22, tzinfo=UTC)
GIVEN: dict[str, list[Any]] = {
    "latitude": [39.6], "longitude": [116.6], "init_time": [INIT, None], "form": ["html"],
    "new": [NewSubscription(name="desk", channel="stream")], "change": [Change(state="paused")],
    "name": ["any"], "after": [1], "year": [2013], "time": [INIT], "simulated": [True], "body": [{}],
    "seconds": [1.0],
}  # fmt: skip
PICTURES = ["haze.png", "aqi.png", "day/pm25.webp", "fan/beijing.png"]
# Pages that receivers open, and the same bulletin by the header Accept.
NOT_FOR_PROGRAMS = ("/confirm", "/unsubscribe", "/v1/bulletins/latest")
# A list is read to its end; a format and what is left out of an answer are asked of `table`.
BY_ITSELF = {"cursor", "limit", "format", "variables", "state"}


@pytest.fixture(scope="module")
def described(tmp_path_factory) -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of all that the API has."""
    document = create_app(make_settings(data_dir=tmp_path_factory.mktemp("described"))).openapi()
    return list(operations(document))


def is_wanted(path: str, method: str, operation: dict[str, Any]) -> bool:
    """Whether the client is to cover an operation."""
    return (method == "get" or "subscriptions" in operation["tags"]) and not path.endswith(NOT_FOR_PROGRAMS)


def asked(name: str, method: Any) -> Iterator[tuple[str, str]]:
    """Yield method and path of what a client's method asks for, for each kind of arguments."""
    parameters = [p for p in inspect.signature(method).parameters.values() if p.kind is not p.VAR_KEYWORD]
    given = (
        [("name", PICTURES)] if name == "picture" else [(p.name, GIVEN.get(p.name, ["any"])) for p in parameters[1:]]
    )
    seen: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method.lower(), request.url.path))
        return httpx.Response(404)

    with Client("http://haze.example", transport=httpx.MockTransport(answer)) as client:
        for n in range(max((len(values) for _, values in given), default=1)):
            arguments = {key: values[n % len(values)] for key, values in given}
            with pytest.raises(RefusedError):
                found = getattr(client, name)(**arguments)
                next(found)
    yield from seen


def described_as(path: str, paths: set[str]) -> str:
    """Return the path of the description that a path belongs to: the one that says the most of it."""
    fitting = [p for p in paths if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(p)), path)]
    return min(fitting, key=lambda p: (p.count("{"), -len(p)))


def taken(method: Any) -> set[str]:
    """Return the names that a client's method takes, as the API calls them."""
    hints = get_type_hints(method)
    own = {name: "" for name in inspect.signature(method).parameters if name not in ("query", "places")}
    typed = {key for name in ("query", "places") if name in hints for key in get_type_hints(get_args(hints[name])[0])}
    return {{"start": "from", "end": "to"}.get(name, name) for name in (*own, *typed)}


def test_everything_that_can_be_read_or_subscribed_to_has_a_method_and_every_argument_a_name(described) -> None:
    every = {(path, method) for path, method, _ in described}
    methods: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if name.startswith("_") or name in ("close", "table"):
            continue
        for verb, path in asked(name, method):
            found = described_as(path, {p for p, m in every if m == verb})
            methods[found, verb] |= taken(method)
    wanted = [one for one in described if is_wanted(*one)]
    assert {(path, method) for path, method, _ in wanted} - set(methods) == set()
    lacking = {
        f"{verb} {path}: {parameter['name']}"
        for path, verb, operation in wanted
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and parameter["name"] not in methods[path, verb] | BY_ITSELF
    }
    assert lacking == set()
