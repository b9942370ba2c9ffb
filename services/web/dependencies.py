"""What the routes work with: made once for an app, and given to every route that declares it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import Clock
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import use_shapes
from hazecast.services.core.subprocesses import end_subprocesses
from hazecast.services.core.work_pool import WorkPool
from hazecast.services.delivery.content import Renderer
from hazecast.services.delivery.queue import Queue
from hazecast.services.delivery.sealing import seal_stored, seals_of
from hazecast.services.delivery.stream import EventFeed, public_feed
from hazecast.services.delivery.stream_places import StreamPlaces
from hazecast.services.delivery.subscriptions import Subscriptions
from hazecast.services.store.changes import Changes
from hazecast.services.store.shared import Shared
from hazecast.services.store.store import Store
from hazecast.services.store.tables.delivery import OutboxEvent
from hazecast.services.web.signing import signer_of
from hazecast.services.work.bulletin import Bulletins


# Compared by identity: what a route caches is cached for each app.
@dataclass(frozen=True, eq=False)
class Service:
    """The parts of an app.

    Attributes
    ----------
    store : Store
    settings : Settings
    registry : Registry
        The cities.
    book : RuleBook
        The rule sets.
    clock : callable
        Gives the current time, aware: what is stale, expired or in force depends on it.
    bulletins : Bulletins
    pool : WorkPool
        Draws, typesets and writes NetCDF in subprocesses.
    studies : WorkPool
        Answers studies in subprocesses of their own, so that drawings never wait for one.
    subscriptions : Subscriptions
    queue : Queue
        Deliveries of all subscriptions.
    renderer : Renderer
        Makes the body that a subscriber receives.
    public_feed : EventFeed
        The newest public events, read once for all listeners of the process.
    stream_places : StreamPlaces
        How many may listen, all together, from one address and for one account.
    shared : Shared
        What all processes on the store share.
    changes : Changes
        Whether any of them has written.
    sign : callable
        Signs a CAP message, or returns it as it is where the service has no key.
    """

    store: Store
    settings: Settings
    registry: Registry
    book: RuleBook
    clock: Clock
    bulletins: Bulletins
    pool: WorkPool
    studies: WorkPool
    subscriptions: Subscriptions
    queue: Queue
    renderer: Renderer
    public_feed: EventFeed[OutboxEvent]
    stream_places: StreamPlaces
    shared: Shared
    changes: Changes
    sign: Callable[[bytes], bytes]

    def close(self) -> None:
        """Take no more drawings, end the subprocesses, and give all connections back.

        Before the process ends: libpq's connections must not outlive the libraries that they use.
        """
        self.changes.close()
        # Nobody waits for drawings any more.
        self.pool.close()
        self.studies.close()
        end_subprocesses()
        self.shared.close()
        self.store.close()


def make_service(settings: Settings, registry: Registry, clock: Clock) -> Service:
    """Build the parts of an app on the store that `settings` names; its schema is brought up to date first.

    Parameters
    ----------
    settings : Settings
    registry : Registry
    clock : callable

    Returns
    -------
    Service

    Raises
    ------
    InputError
        If the rule sets, the file of shapes, or the keys for CAP messages and webhooks' secrets, can't be used.
    StoreError
        If the store can't be reached.
    """
    book = rule_book(settings)
    use_shapes(settings)
    store = Store(settings.database_url, clock, settings.data_dir)
    store.migrate()
    sessions = store.sessions
    seal_stored(sessions, seals_of(settings))
    shared = Shared(settings.database_url)
    shared.prepare()
    return Service(
        store=store,
        settings=settings,
        registry=registry,
        book=book,
        clock=clock,
        bulletins=Bulletins(store, settings, registry, book),
        pool=WorkPool(
            settings.limits.drawing_processes,
            settings.limits.drawing_waiting,
            settings.limits.answer_seconds,
            settings.answers.answers_memory_mb * 2**20 // 2,
        ),
        studies=WorkPool(
            settings.limits.study_processes,
            settings.limits.study_waiting,
            settings.limits.answer_seconds,
            settings.answers.answers_memory_mb * 2**20 // 8,
        ),
        subscriptions=Subscriptions(sessions, settings, registry, book),
        queue=Queue(sessions, settings),
        renderer=Renderer(store, settings, registry, book),
        public_feed=public_feed(sessions, settings.events.poll_seconds),
        stream_places=StreamPlaces(
            shared,
            settings.events.connections,
            settings.events.connections_per_address,
            settings.events.connections_per_account,
        ),
        shared=shared,
        changes=Changes(store.engine),
        sign=signer_of(settings),
    )


# Async, as a plain function would go through the thread pool for every request.
async def service_of(request: Request) -> Service:
    """Return the parts of the app that a request came to."""
    found: Service = request.app.state.service
    return found


Given = Annotated[Service, Depends(service_of)]
