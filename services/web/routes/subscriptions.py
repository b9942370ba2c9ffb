"""Subscriptions through the API: made, changed, tested and ended; their deliveries, dead letters and replays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse

from hazecast.alerts.messages.texts import LANGUAGES
from hazecast.grids.errors import InputError
from hazecast.services.accounts.keys import Identity
from hazecast.services.delivery.mail import page
from hazecast.services.delivery.queue import Row
from hazecast.services.delivery.subscription_fields import Change, NewSubscription, State
from hazecast.services.store.tables.delivery import Subscription
from hazecast.services.web.access import require
from hazecast.services.web.delivery_rows import delivery_out
from hazecast.services.web.dependencies import Given, Service
from hazecast.services.web.pages import Cursor, Limit, cut, link_next, position
from hazecast.services.web.problems import Refusal
from hazecast.services.web.routes.common import CONFLICT, DENIED, INVALID, NOT_FOUND, Responses
from hazecast.services.web.schemas.subscriptions import (
    CreatedOut,
    DeliveriesOut,
    DeliveryOut,
    ReplayedOut,
    SecretOut,
    SubscriptionOut,
    SubscriptionsOut,
    TestOut,
    WaitingOut,
)

Reader = Annotated[Identity, Depends(require("subscriptions:read"))]
Writer = Annotated[Identity, Depends(require("subscriptions:write"))]
History = Annotated[Identity, Depends(require("deliveries:read"))]
Replayer = Annotated[Identity, Depends(require("deliveries:replay"))]
Code = Annotated[str, Query(max_length=128, description="The code that the receiver was sent.")]
_PAGE: Responses = {200: {"content": {"text/html": {}}, "description": "A page with one button"}}


router = APIRouter(tags=["subscriptions"])
# What receivers open in a browser.
pages = APIRouter(tags=["subscriptions"], default_response_class=HTMLResponse)


@router.get("/subscriptions", responses=DENIED)
def all_of_account(service: Given, identity: Reader) -> SubscriptionsOut:
    """The account's subscriptions, oldest first."""
    return SubscriptionsOut(items=[_out(row) for row in service.subscriptions.list(identity.account_id)])


@router.post("/subscriptions", status_code=201, responses=DENIED | CONFLICT | INVALID)
def create(service: Given, new: NewSubscription, identity: Writer) -> CreatedOut:
    """Subscribe. The answer holds a webhook's secret, this once.

    A webhook or e-mail address receives only one message until it has confirmed: a webhook by answering
    that message with its code, either by the page that the message names.
    """
    row = _or_refusal(lambda: service.subscriptions.create(identity.account_id, new, service.clock()))
    return CreatedOut(**_out(row).model_dump(), secret=service.subscriptions.secret_of(row) or None)


@router.get("/subscriptions/{subscription_id}", responses=DENIED | NOT_FOUND)
def one(service: Given, subscription_id: str, identity: Reader) -> SubscriptionOut:
    """One subscription."""
    return _out(_own_subscription(service, subscription_id, identity))


@router.patch("/subscriptions/{subscription_id}", responses=DENIED | NOT_FOUND | CONFLICT | INVALID)
def change(service: Given, subscription_id: str, changes: Change, identity: Writer) -> SubscriptionOut:
    """Change what is given, also the state: "paused" holds messages back, "active" sends them.

    Where the receiver has unsubscribed, or did not confirm in time, "active" asks it to confirm again.
    """
    row = _own_subscription(service, subscription_id, identity)
    return _out(_or_refusal(lambda: service.subscriptions.change(row, changes, service.clock())))


@router.delete("/subscriptions/{subscription_id}", status_code=204, responses=DENIED | NOT_FOUND)
def remove(service: Given, subscription_id: str, identity: Writer) -> None:
    """Delete a subscription, its waiting messages and its history."""
    service.subscriptions.remove(_own_subscription(service, subscription_id, identity))


@router.post("/subscriptions/{subscription_id}/secret", responses=DENIED | NOT_FOUND | CONFLICT | INVALID)
def rotate(service: Given, subscription_id: str, identity: Writer) -> SecretOut:
    """Make a new secret for a webhook; for a while messages are signed with both."""
    row = _own_subscription(service, subscription_id, identity)
    secret, until = _or_refusal(lambda: service.subscriptions.rotate(row, service.clock()))
    return SecretOut(secret=secret, previous_until=until)


@router.post(
    "/subscriptions/{subscription_id}/test", status_code=202, responses=DENIED | NOT_FOUND | CONFLICT
)  # fmt: skip
def test(service: Given, subscription_id: str, identity: Writer) -> TestOut:
    """Send a test message now, after all that waits."""
    row = _own_subscription(service, subscription_id, identity)
    return TestOut(delivery=_or_refusal(lambda: service.subscriptions.test(row, service.clock())))


@router.get("/subscriptions/{subscription_id}/deliveries", responses=DENIED | NOT_FOUND | INVALID)
def deliveries(
    service: Given,
    request: Request,
    response: Response,
    subscription_id: str,
    identity: History,
    state: Annotated[State | None, Query(description="Only of this state.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DeliveriesOut:
    """Messages to a subscription: sent, waiting or given up."""
    row = _own_subscription(service, subscription_id, identity)
    before = position(cursor)
    found = service.queue.history(subscription_id=row.id, state=state, before=before, limit=limit + 1)
    return _page(request, response, found, limit, service)


@router.post("/subscriptions/{subscription_id}/send-now", responses=DENIED | NOT_FOUND | CONFLICT)
def send_now(service: Given, subscription_id: str, identity: Replayer) -> WaitingOut:
    """Send what waits now, in order: after the receiver is repaired, not after the wait that follows its failures."""
    row = _own_subscription(service, subscription_id, identity)
    return WaitingOut(waiting=_or_refusal(lambda: service.queue.send_now(row.id, service.clock())))


@router.post("/subscriptions/{subscription_id}/replay", responses=DENIED | NOT_FOUND | CONFLICT)
def replay_dead(service: Given, subscription_id: str, identity: Replayer) -> ReplayedOut:
    """Send all dead letters of a subscription again, in their order, after all that waits."""
    row = _own_subscription(service, subscription_id, identity)
    return ReplayedOut(replayed=_or_refusal(lambda: service.queue.replay_dead(row.id, service.clock())))


def _own_subscription(service: Service, subscription_id: str, identity: Identity) -> Subscription:
    found: Subscription = _or_refusal(lambda: service.subscriptions.get(subscription_id, identity.account_id))
    return found


@router.get("/dead-letters", responses=DENIED | INVALID)
def dead_letters(
    service: Given,
    request: Request,
    response: Response,
    identity: History,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> DeliveriesOut:
    """What could not be delivered to any of the account's subscriptions."""
    before = position(cursor)
    found = service.queue.history(account_id=identity.account_id, state="dead", before=before, limit=limit + 1)
    return _page(request, response, found, limit, service)


@router.get("/deliveries/{delivery_id}", responses=DENIED | NOT_FOUND)
def delivery(service: Given, delivery_id: str, identity: History) -> DeliveryOut:
    """One delivery."""
    row = _or_refusal(lambda: service.queue.get(delivery_id, identity.account_id))
    return delivery_out(row, service.clock())


@router.post("/deliveries/{delivery_id}/replay", responses=DENIED | NOT_FOUND | CONFLICT)
def replay(service: Given, delivery_id: str, identity: Replayer) -> ReplayedOut:
    """Send a delivery now: a finished one again, under its id, after all that waits; one that waits, in its place."""
    row, _ = _or_refusal(lambda: service.queue.get(delivery_id, identity.account_id))
    return ReplayedOut(replayed=_or_refusal(lambda: service.queue.replay([row.id], service.clock())))


@pages.get("/subscriptions/{subscription_id}/confirm", responses=_PAGE | INVALID)
def ask_to_confirm(subscription_id: str, code: Code, request: Request) -> HTMLResponse:
    """Ask whether messages are wanted: following a link, as mail scanners do, confirms nothing."""
    return _html(page(_language(request), "confirm_page", button="confirm_button", action=_same_query(request)))


@pages.post("/subscriptions/{subscription_id}/confirm", responses=_PAGE | NOT_FOUND | CONFLICT | INVALID)
def confirm(service: Given, subscription_id: str, code: Code, request: Request) -> HTMLResponse:
    """Confirm that messages are wanted at this address."""
    return _decide(
        request, lambda: service.subscriptions.confirm(subscription_id, code, service.clock()), "confirm_done"
    )


@pages.get("/subscriptions/{subscription_id}/unsubscribe", responses=_PAGE | INVALID)
def ask_to_unsubscribe(subscription_id: str, code: Code, request: Request) -> HTMLResponse:
    """Ask whether no more messages are wanted."""
    return _html(page(_language(request), "unsubscribe_page", button="unsubscribe_button", action=_same_query(request)))


@pages.post("/subscriptions/{subscription_id}/unsubscribe", responses=_PAGE | NOT_FOUND | INVALID)
def unsubscribe(service: Given, subscription_id: str, code: Code, request: Request) -> HTMLResponse:
    """End the messages to this address; mail programs do it with one click (RFC 8058)."""
    return _decide(
        request, lambda: service.subscriptions.unsubscribe(subscription_id, code, service.clock()), "unsubscribe_done"
    )


def _decide(request: Request, act: Callable[[], None], done: str) -> HTMLResponse:
    _or_refusal(act)
    return _html(page(_language(request), done))


def _html(content: str) -> HTMLResponse:
    # The address holds the code: it must not reach caches and other sites' logs.
    return HTMLResponse(content, 200, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})


def _language(request: Request) -> str:
    tags = request.headers.get("accept-language", "").lower().replace(",", " ").split()
    return next((known for tag in tags for known in LANGUAGES if tag.startswith(known)), "en")


def _same_query(request: Request) -> str:
    return f"?{request.url.query}"


def _or_refusal(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except InputError as error:
        raise Refusal(error) from error


def _out(row: Subscription) -> SubscriptionOut:
    return SubscriptionOut.model_validate(row, from_attributes=True)


def _page(request: Request, response: Response, found: list[Row], limit: int, service: Service) -> DeliveriesOut:
    rows, following = cut(found, limit, lambda row: (row[0].position,))
    link_next(response, request, following)
    now = service.clock()
    return DeliveriesOut(items=[delivery_out(row, now) for row in rows], next=following)
