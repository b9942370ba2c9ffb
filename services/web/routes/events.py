"""Server-sent events: public ones for all who listen, and each subscription's own."""

# Annotations are evaluated here, for dependencies that a function makes: no `from __future__ import annotations`.
import logging
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from hazecast.grids.errors import InputError
from hazecast.services.accounts.keys import Identity, RefusedError, check_again
from hazecast.services.delivery.stream import oldest_event_number, subscription_feed
from hazecast.services.delivery.stream_places import TooManyReaders
from hazecast.services.delivery.subscription_rows import find_subscription
from hazecast.services.store.tables.delivery import Subscription
from hazecast.services.web.access import identify, require
from hazecast.services.web.dependencies import Given
from hazecast.services.web.edge.key_check import network_of
from hazecast.services.web.problems import Refusal
from hazecast.services.web.routes.common import DENIED, INVALID, NOT_FOUND, Responses
from hazecast.services.web.schemas.forecasts import ProblemOut

log = logging.getLogger(__name__)

FULL: Responses = {503: {"model": ProblemOut, "description": "Too many listeners; try again later"}}
# How long a browser waits before it comes back, in ms.
_RETRY = 3_000


def _position(
    last_event_id: Annotated[
        str | None, Header(description="Number of the last event seen; browsers send it by themselves.")
    ] = None,
    after: Annotated[
        int | None, Query(ge=0, le=2**62, description="The same, for clients that can't send the header.")
    ] = None,
) -> int | None:
    if last_event_id is None or last_event_id == "":
        return after
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 18:
        raise HTTPException(422, f"Last-Event-ID: found {last_event_id[:40]!r}; expected the number of an event")
    return int(last_event_id)


Position = Annotated[int | None, Depends(_position)]

router = APIRouter(tags=["events"])


async def _place(service: Given, request: Request) -> AsyncIterator[None]:
    """Hold a reader's place from before its answer begins until it has ended."""
    address, identity = network_of(request.client.host if request.client else ""), identify(request)
    try:
        async with service.stream_places.hold(address, None if identity is None else identity.account_id):
            yield
    except TooManyReaders as error:
        raise HTTPException(503, f"{error}: try again later", {"Retry-After": "30"}) from error


def _own_subscription(
    service: Given, subscription_id: str, identity: Annotated[Identity, Depends(require("subscriptions:read"))]
) -> Subscription:
    try:
        with service.store.sessions() as session:
            return find_subscription(session, subscription_id, identity.account_id)
    except InputError as error:
        raise Refusal(error) from error


@router.get(
    "/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(_place)],
    responses=INVALID | FULL,
)
async def events(service: Given, position: Position) -> AsyncIterator[ServerSentEvent]:
    """New forecasts and warnings as they come, as server-sent events.

    Without a number it begins now. `event` is `forecast`, `warning`, or `reset` where events after the given
    number are no longer stored, and everything must be read again. `data` holds `id`, `type`, `timestamp`, `simulated`
    and what happened, with the address of the complete resource.
    """
    start = await service.public_feed.newest()
    if position is not None:
        first = await run_in_threadpool(oldest_event_number, service.store.sessions)
        # A number beyond the newest belongs to another store.
        if position > start or position < first - 1:
            yield ServerSentEvent(event="reset", data={}, id=str(start))
        else:
            start = position
    # Whoever loses the connection before the first event goes on from here.
    yield ServerSentEvent(comment="listening", id=str(start), retry=_RETRY)
    async for number, event in service.public_feed.read(start, service.settings.events.seconds):
        yield ServerSentEvent(event=event.kind, raw_data=event.body, id=str(number))


@router.get(
    "/subscriptions/{subscription_id}/events",
    response_class=EventSourceResponse,
    dependencies=[Depends(_place)],
    responses=DENIED | NOT_FOUND | INVALID | FULL,
)
async def own_events(
    service: Given,
    row: Annotated[Subscription, Depends(_own_subscription)],
    identity: Annotated[Identity, Depends(require("subscriptions:read"))],
    position: Position,
) -> AsyncIterator[ServerSentEvent]:
    """The messages of a subscription as server-sent events, from the beginning or after the given number.

    `data` is what a webhook would receive; `event` its type. The stream ends within seconds once the key is revoked or
    lacks the scope, its account is disabled, or the subscription is deleted.
    """

    def allowed() -> bool:
        try:
            who = check_again(service.store.sessions, identity, service.clock())
            _own_subscription(service, row.id, who)
        except (RefusedError, Refusal) as refusal:
            log.info("the stream of subscription %s ends: %s", row.id, refusal)
            return False
        return "subscriptions:read" in who.scopes

    own = subscription_feed(service.store.sessions, row.id, service.settings.events.poll_seconds)
    start = position or 0
    # A number beyond the newest belongs to another store; receivers recognise repetitions by the ids.
    start = start if start <= await own.newest() else 0
    yield ServerSentEvent(comment="listening", id=str(start), retry=_RETRY)
    async for number, (delivery, event) in own.read(start, service.settings.events.seconds, allowed):
        body = await run_in_threadpool(service.renderer, row, event, delivery.id)
        yield ServerSentEvent(event=event.type, raw_data=body, id=str(number))
