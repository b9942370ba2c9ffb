"""Every operation that the API describes, with arguments made up from its own description: no answer undescribed.

`make schema` asks far more of each; the number is in the environment variable HAZECAST_SCHEMA_EXAMPLES.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from hazecast.services.web.app import create_app
from tests.support.settings import changed

pytestmark = [pytest.mark.slow, pytest.mark.slowest]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
EXAMPLES = int(os.environ.get("HAZECAST_SCHEMA_EXAMPLES", "6"))
BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
# An animation takes seconds to draw; its arguments are those of a map.
SLOW = "/v1/maps/day/"
ONCE = settings(BOUNDED, max_examples=max(1, EXAMPLES // 10))


def known_arguments(client: TestClient) -> dict[str, list[str]]:
    """Return what path parameters may be, so that answers are reached and not only their 404."""
    warnings = [feature["id"] for feature in client.get("/v1/warnings").json()["features"][:3]]
    init_time = client.get("/v1/forecasts").json()["items"][0]["init_time"]
    return {
        "city_id": ["beijing", "tokyo", "nowhere"],
        "warning_id": [*warnings, "nothing"],
        "init_time": [init_time, "2001-01-01T00:00:00Z"],
        "name": ["not-found", "nothing"],
        "study": ["budget", "nothing"],
    }


def test_no_answer_is_undescribed(simulated_run, subtests) -> None:
    app = create_app(changed(simulated_run, rate_anonymous=0, events_seconds=0.05))
    known = known_arguments(TestClient(app))

    @schemathesis.hook
    def before_load_schema(context, raw) -> None:
        for methods in raw["paths"].values():
            for operation in methods.values():
                for parameter in operation.get("parameters", ()):
                    if parameter["in"] == "path" and parameter["name"] in known:
                        parameter["schema"] = {"type": "string", "enum": known[parameter["name"]]}

    try:
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    finally:
        schemathesis.hooks.unregister(before_load_schema)
    statuses: Counter[int] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode.POSITIVE, GenerationMode.NEGATIVE:
            # A path alone, of known names, has nothing to get wrong.
            if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
                continue
            with subtests.test(operation=operation.label, mode=mode.value):

                @(ONCE if operation.path.startswith(SLOW) else BOUNDED)
                @given(operation.as_strategy(generation_mode=mode))
                def ask(case) -> None:
                    answer = case.call(timeout=300)
                    statuses[answer.status_code] += 1
                    case.validate_response(answer, checks=CHECKS)

                ask()
    assert {200, 404, 422} <= set(statuses), statuses
