"""What the routes work with: made once for an app, and given to every route that declares it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Annotated

from fastapi import Depends, Request

from hazecast.alerts.rules.book import RuleBook
from hazecast.grids.places.cities import Registry
from hazecast.services.core.clock import Clock
from hazecast.services.core.places import CurrentCities
from hazecast.services.core.rules import rule_book
from hazecast.services.core.settings import Settings
from hazecast.services.core.shapes import use_shapes
from hazecast.services.core.subprocesses import end_subprocesses
from hazecast.services.core.work_pool import WorkPool
from hazecast.services.delivery.content import Renderer
from hazecast.services.delivery.queue import Queue
from hazecast.services.delivery.sealing import seal_stored, seals_of
from hazecast.services.delivery.stream import EventFeed, PublicEvent, public_feed
from hazecast.services.delivery.stream_places import StreamPlaces
from hazecast.services.delivery.subscriptions import Subscriptions
from hazecast.services.research.studies.runner import StudyRunner
from hazecast.services.store.changes import Changes
from hazecast.services.store.shared import Shared
from hazecast.services.store.store import Store
from hazecast.services.web.signing import signer_of
from hazecast.services.work.bulletin import Bulletins


@dataclass(frozen=True)
class OfCities:
    """What is made for a registry, and made anew with the next."""

    bulletins: Bulletins
    subscriptions: Subscriptions
    renderer: Renderer


# Compared by identity: what a route caches is cached for each app.
@dataclass(frozen=True, eq=False)
class Service:
    """The parts of an app.

    Attributes
    ----------
    store : Store
    settings : Settings
    cities : CurrentCities
        The cities as they are now.
    book : RuleBook
        The rule sets.
    clock : callable
        Gives the current time, aware: what is stale, expired or in force depends on it.
    pool : WorkPool
        Draws, typesets and writes NetCDF in subprocesses.
    studies : WorkPool
        Answers studies in subprocesses of their own, so that drawings never wait for one.
    study_runner : StudyRunner
        Runs studies as jobs, while a server runs the app.
    queue : Queue
        Deliveries of all subscriptions.
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
    of_cities : callable
        Returns what is made for a registry; the same object for the same registry.
    """

    store: Store
    settings: Settings
    cities: CurrentCities
    book: RuleBook
    clock: Clock
    pool: WorkPool
    studies: WorkPool
    study_runner: StudyRunner
    queue: Queue
    public_feed: EventFeed[PublicEvent]
    stream_places: StreamPlaces
    shared: Shared
    changes: Changes
    sign: Callable[[bytes], bytes]
    of_cities: Callable[[Registry], OfCities]

    @property
    def registry(self) -> Registry:
        """The cities as last read: an object that never changes, and is another one when a file of them has changed."""
        return self.cities()

    @property
    def bulletins(self) -> Bulletins:
        """The bulletins."""
        return self.of_cities(self.registry).bulletins

    @property
    def subscriptions(self) -> Subscriptions:
        """The subscriptions of all accounts."""
        return self.of_cities(self.registry).subscriptions

    @property
    def renderer(self) -> Renderer:
        """Makes the body that a subscriber receives."""
        return self.of_cities(self.registry).renderer

    def close(self) -> None:
        """Take no more drawings, end the subprocesses, and give all connections back.

        Before the process ends: PostgreSQL then has no connections that were lost, and their locks are free at once.
        """
        self.changes.close()
        self.study_runner.stop()
        # Nobody waits for drawings any more.
        self.pool.close()
        self.studies.close()
        end_subprocesses()
        self.study_runner.join()
        self.shared.close()
        self.store.close()


def make_service(settings: Settings, cities: CurrentCities, clock: Clock) -> Service:
    """Build the parts of an app on the store that `settings` names; its schema is brought up to date first.

    Parameters
    ----------
    settings : Settings
    cities : CurrentCities
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
        cities=cities,
        book=book,
        clock=clock,
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
        study_runner=StudyRunner(store, settings, clock),
        queue=Queue(sessions, settings),
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
        of_cities=lru_cache(maxsize=2)(partial(_of_cities, store, settings, book)),
    )


def _of_cities(store: Store, settings: Settings, book: RuleBook, registry: Registry) -> OfCities:
    return OfCities(
        Bulletins(store, settings, registry, book),
        Subscriptions(store.sessions, settings, registry, book),
        Renderer(store, settings, registry, book),
    )


# Async, as a plain function would go through the thread pool for every request.
async def service_of(request: Request) -> Service:
    """Return the parts of the app that a request came to."""
    found: Service = request.app.state.service
    return found


Given = Annotated[Service, Depends(service_of)]
