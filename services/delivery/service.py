"""The dispatcher as the service runs it: with the channels that the settings allow, in its own thread."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial

from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import Clock, utc_now
from hazecast.services.core.places import CurrentCities
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import use_shapes
from hazecast.services.delivery.channel import Channel
from hazecast.services.delivery.content import Renderer
from hazecast.services.delivery.dispatcher import Dispatcher, Outlets
from hazecast.services.delivery.editions import EditionElsewhere
from hazecast.services.delivery.mail import MailChannel
from hazecast.services.delivery.sealing import seal_stored, seals_of
from hazecast.services.delivery.webhook import WebhookChannel
from hazecast.services.store.store import Store

log = logging.getLogger(__name__)


def make_dispatcher(store: Store, settings: Settings, clock: Clock = utc_now) -> Dispatcher:
    """Return the dispatcher of a store, with the channels that the settings allow.

    Parameters
    ----------
    store : Store
    settings : Settings
    clock : callable
        Gives the time, aware.

    Returns
    -------
    Dispatcher
    """
    cities, book = CurrentCities(settings), rule_book(settings)
    use_shapes(settings)
    seal_stored(store.sessions, seals_of(settings))
    webhook = WebhookChannel(settings)

    @lru_cache(maxsize=1)
    def made(registry: Registry) -> Outlets:
        channels: dict[str, Channel] = {"webhook": webhook}
        if settings.smtp.host is not None:
            channels["email"] = MailChannel(store, settings, registry, book, partial(EditionElsewhere, settings))
        return Outlets(registry, channels, Renderer(store, settings, registry, book))

    # A cycle may forecast a city that was added while this process runs, and warn of it.
    first = made(cities())
    return Dispatcher(
        store.sessions, first.registry, settings, first.channels, first.render,
        clock=clock, renewed=lambda: made(cities.refresh()),
    )  # fmt: skip


@contextmanager
def delivering(settings: Settings) -> Iterator[None]:
    """Send due messages in a thread of their own, for as long as the context lasts."""
    store = Store(settings.database_url, files=settings.data_dir)
    stop = threading.Event()
    thread = threading.Thread(target=make_dispatcher(store, settings).run, args=(stop,), name="delivery")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        # An attempt in progress ends, within its time limit; the rest waits for the next start.
        thread.join()
        store.close()
