"""Observations that an account's own system sends."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Request

from hazecast.services.accounts.keys import Identity
from hazecast.services.web.access import require
from hazecast.services.web.dependencies import Given
from hazecast.services.web.drawn import draw
from hazecast.services.web.problems import RowsRefused
from hazecast.services.web.routes.common import BUSY, DENIED, INVALID, TOO_LARGE, idempotency_key
from hazecast.services.work.native_work import store_push
from hazecast.services.work.push_fields import Answer, Push, Pushed

Sender = Annotated[Identity, Depends(require("observations:write"))]
Repeatable = Annotated[str | None, idempotency_key("for 7 days")]


def _body() -> dict[str, Any]:
    """Describe the body, which the route reads itself: a framework would parse it on the event loop."""
    schema = Push.model_json_schema()
    parts = schema.pop("$defs")
    for name in ("stations", "observations"):
        listed = schema["properties"][name]
        listed["items"] = parts[listed["items"]["$ref"].rsplit("/", 1)[1]]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


router = APIRouter(tags=["observations"])


@router.post("/observations", responses=DENIED | INVALID | TOO_LARGE | BUSY, openapi_extra=_body())
async def push(service: Given, request: Request, identity: Sender, idempotency_key: Repeatable = None) -> Pushed:
    """Send observed hours of your stations.

    Each row is taken or refused by itself; 422 where none can be used. A value that is there already changes nothing, another one
    for the same station, hour and variable replaces it. Quality control is that of all observations. Wind needs speed
    and direction, and a dew point from humidity the temperature, in the same request.
    """
    given = await draw(
        request,
        service.pool,
        ("push", uuid4().hex),
        store_push,
        service.settings,
        identity.account_id,
        idempotency_key,
        await request.body(),
        service.clock(),
    )
    answer = Answer.model_validate_json(given)
    if answer.outcome is None:
        raise RowsRefused(answer.detail, [(error.field, error.reason) for error in answer.errors])
    return answer.outcome
