"""``hazecast subscribers`` and ``hazecast deliver``: subscriptions and their deliveries, for the operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hazecast.services.cli import exits
from hazecast.services.cli.options import DataDir, current_time, open_store, settings_of
from hazecast.services.cli.output import print_json

if TYPE_CHECKING:
    from hazecast.services.core.settings import Settings
    from hazecast.services.delivery.subscriptions import Subscriptions
    from hazecast.services.store.store import Store

app = typer.Typer()
group = typer.Typer(help="Subscriptions, their deliveries and dead letters.", no_args_is_help=True)

SubscriptionId = Annotated[str, typer.Argument(help="Id of a subscription, as `hazecast subscribers list` shows it.")]
OfAccount = Annotated[str | None, typer.Option("--account", help="Only those of this account.")]


@contextmanager
def _opened(data_dir: Path | None) -> Iterator[tuple[Store, Settings]]:
    settings = settings_of(data_dir)
    with open_store(settings) as store:
        yield store, settings


def _subscriptions(store: Store, settings: Settings) -> Subscriptions:
    from hazecast.services.core.places import city_registry
    from hazecast.services.core.rules import rule_book
    from hazecast.services.delivery.subscriptions import Subscriptions

    return Subscriptions(store.sessions, settings, city_registry(settings), rule_book(settings))


@group.command(name="list")
def list_subscriptions(account: OfAccount = None, data_dir: DataDir = None) -> None:
    """List subscriptions as JSON, without their secrets."""
    from hazecast.services.web.schemas.subscriptions import SubscriptionOut

    with _opened(data_dir) as (store, settings):
        rows = _subscriptions(store, settings).list(account)
        print_json(
            [
                {"account": row.account_id} | SubscriptionOut.model_validate(row).model_dump(mode="json")
                for row in rows
            ]
        )  # fmt: skip


@group.command()
def add(
    account: Annotated[str, typer.Argument(help="Id of the account.")],
    name: Annotated[str, typer.Option("--name", help="What it is for, in the owner's words.")],
    webhook: Annotated[str | None, typer.Option("--webhook", help="Address that messages are posted to.")] = None,
    email: Annotated[str | None, typer.Option("--email", help="E-mail address.")] = None,
    kind: Annotated[list[str] | None, typer.Option("--kind", help="warning (default), bulletin or forecast.")] = None,
    city: Annotated[list[str] | None, typer.Option("--city", help="Default: all; may be repeated.")] = None,
    region: Annotated[list[str] | None, typer.Option("--region", help="A partner government.")] = None,
    rule_set: Annotated[list[str] | None, typer.Option("--rule-set", help="Default: all.")] = None,
    level: Annotated[list[str] | None, typer.Option("--level", help="Default: all.")] = None,
    language: Annotated[list[str] | None, typer.Option("--language", help="zh (default), ja or en.")] = None,
    attach: Annotated[list[str] | None, typer.Option("--attach", help="html, pdf (default), csv or nc.")] = None,
    bulletin_hour: Annotated[int, typer.Option("--bulletin-hour", help="Local hour of the bulletin.")] = 7,
    time_zone: Annotated[str | None, typer.Option("--time-zone", help="Its zone; default the first city's.")] = None,
    simulated: Annotated[bool, typer.Option("--simulated", help="Messages of simulated runs too.")] = False,
    confirmed: Annotated[
        bool, typer.Option("--confirmed", help="The receiver has agreed: no confirmation is asked for.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Add a subscription; with neither webhook nor e-mail address it is a stream. Its secret is printed once."""
    from hazecast.grids.errors import InputError
    from hazecast.services.delivery.subscription_fields import NewSubscription

    if webhook and email:
        raise InputError("target", "a webhook and an e-mail address", "one of them")
    asked = {
        "kinds": kind, "cities": city, "regions": region, "rule_sets": rule_set, "levels": level,
        "languages": language, "formats": attach,
    }  # fmt: skip
    given: dict[str, Any] = {field: value for field, value in asked.items() if value} | {
        "name": name, "channel": "webhook" if webhook else "email" if email else "stream",
        "target": webhook or email or "", "bulletin_hour": bulletin_hour, "time_zone": time_zone,
        "simulated": simulated,
    }  # fmt: skip
    new = NewSubscription.model_validate(given)
    with _opened(data_dir) as (store, settings):
        subscriptions = _subscriptions(store, settings)
        row = subscriptions.create(account, new, current_time(), confirmed=confirmed)
        print(f"{row.id} added, {row.state}")
        if webhook:
            print(f"secret, shown this once: {subscriptions.secret_of(row)}")


@group.command(name="new-key")
def new_key() -> None:
    """Print a new key for HAZECAST_WEBHOOK_SECRET_KEY; put it before the old one, with a comma."""
    from hazecast.services.delivery.sealing import new_seal_key

    print(new_seal_key())


@group.command()
def seal(data_dir: DataDir = None) -> None:
    """Seal webhooks' secrets by the first key of HAZECAST_WEBHOOK_SECRET_KEY, as a service does when it starts."""
    from hazecast.services.delivery.sealing import seal_stored, seals_of

    with _opened(data_dir) as (store, settings):
        found = seal_stored(store.sessions, seals_of(settings))
    print(f"{found.sealed} sealed, {found.before} were, {found.plain} in plain text, {found.lost} that no key opens")
    if found.plain or found.lost:
        raise typer.Exit(exits.DEGRADED)


@group.command()
def remove(subscription: SubscriptionId, data_dir: DataDir = None) -> None:
    """Remove a subscription with its pending deliveries and its history."""
    with _opened(data_dir) as (store, settings):
        subscriptions = _subscriptions(store, settings)
        subscriptions.remove(subscriptions.get(subscription))
    print(f"{subscription} removed")


@group.command()
def test(subscription: SubscriptionId, data_dir: DataDir = None) -> None:
    """Put a test message into a subscription's queue."""
    with _opened(data_dir) as (store, settings):
        subscriptions = _subscriptions(store, settings)
        print(subscriptions.test(subscriptions.get(subscription), current_time()))


@group.command()
def deliveries(
    subscription: Annotated[str | None, typer.Argument(help="Only of this subscription.")] = None,
    account: OfAccount = None,
    state: Annotated[str | None, typer.Option("--state", help="pending, delivered, dead or offered.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Maximum number, the newest first.")] = 50,
    data_dir: DataDir = None,
) -> None:
    """Print deliveries that succeeded, wait or were given up, as JSON."""
    from typing import get_args

    from hazecast.grids.errors import InputError
    from hazecast.services.delivery.queue import Queue
    from hazecast.services.delivery.subscription_fields import State
    from hazecast.services.web.delivery_rows import delivery_out

    known: tuple[State, ...] = get_args(State)
    chosen = next((name for name in known if name == state), None)
    if state is not None and chosen is None:
        raise InputError("--state", state, f"one of {', '.join(known)}")
    with _opened(data_dir) as (store, settings):
        queue = Queue(store.sessions, settings)
        rows = queue.history(subscription_id=subscription, account_id=account, state=chosen, limit=limit)
        print_json([delivery_out(row, current_time()).model_dump(mode="json") for row in rows])


@group.command()
def replay(
    name: Annotated[str, typer.Argument(help="Id of a delivery, or of a subscription: all its dead letters.")],
    data_dir: DataDir = None,
) -> None:
    """Send delivered or given up messages again, after those that wait; one that waits is tried now, in its place."""
    from hazecast.services.delivery.queue import Queue

    now = current_time()
    with _opened(data_dir) as (store, settings):
        queue = Queue(store.sessions, settings)
        count = queue.replay_dead(name, now) if name.startswith("sub_") else queue.replay([queue.get(name)[0].id], now)
    print(f"{count} will be sent again")


@group.command("send-now")
def send_now(
    subscription: Annotated[str, typer.Argument(help="Its id.")],
    data_dir: DataDir = None,
) -> None:
    """Send what waits for a subscription now: its receiver is repaired, and need not wait for the next attempt."""
    from hazecast.services.delivery.queue import Queue

    with _opened(data_dir) as (store, settings):
        row = _subscriptions(store, settings).get(subscription)
        waiting = Queue(store.sessions, settings).send_now(row.id, current_time())
    print(f"{waiting} will be sent now")


@app.command()
def deliver(
    once: Annotated[bool, typer.Option("--once", help="Send what is due now, then exit.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Send pending deliveries until stopped; several processes may do so at once."""
    import logging
    import signal
    import threading

    from hazecast.services.delivery.service import make_dispatcher

    logging.getLogger("hazecast").setLevel(logging.INFO)
    with _opened(data_dir) as (store, settings):
        dispatcher = make_dispatcher(store, settings)
        if once:
            print(f"{dispatcher.run_once()} delivered")
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        dispatcher.run(stop)
