"""A receiver that is down, slow or answers 500 for an hour, then back: every message arrives, in order, once by id.

The receiver is a real server on a real port; the hour is simulated: the dispatcher's clock is set by hand. By
itself: ``make outage``.
"""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from hazecast.alerts.rules.book import RuleBook
from hazecast.services.delivery.content import Renderer
from hazecast.services.delivery.dispatcher import Dispatcher
from hazecast.services.delivery.webhook import WebhookChannel
from tests.support.delivery_world import REGISTRY, World
from tests.support.receivers import free_port, receiving

CITIES = ("beijing", "tianjin", "shanghai", "tokyo", "kitakyushu")
OUTAGE = timedelta(hours=1)


@pytest.mark.parametrize("fault", ["down", "slow", "answers 500", "each in turn"])
def test_every_message_arrives_in_order_once_each(tmp_path, fault) -> None:
    port = free_port()
    world = World(
        tmp_path, webhook_http=True, webhook_ports=(port,), webhook_networks=("127.0.0.0/8",),
        webhook_timeout_seconds=0.15, delivery_retry_seconds=5.0, delivery_retry_max_seconds=600.0,
    )  # fmt: skip
    dispatcher = Dispatcher(
        world.store.sessions, REGISTRY, world.settings, {"webhook": WebhookChannel(world.settings)},
        Renderer(world.store, world.settings, REGISTRY, RuleBook.shipped()), clock=world.clock, rng=random.Random(1),
    )  # fmt: skip
    row = world.subscribe(target=f"http://127.0.0.1:{port}/hook")
    until = world.clock.now + OUTAGE
    sent, attempts = [], 0
    while world.clock.now < until:
        if world.clock.now.minute % 10 == 0:
            sent += [world.warn(city, number=f"n{len(sent)}").id for city in CITIES]
        minute = (until - world.clock.now) / timedelta(minutes=1)
        now = fault if fault != "each in turn" else ("down", "slow", "answers 500")[int(minute) // 7 % 3]
        if now == "down":
            dispatcher.run_once()
        else:
            with receiving(port=port) as receiver:
                if now == "slow":
                    receiver.answer, receiver.trickle = lambda *_: (200, {}, b"x" * 60), 0.05
                else:
                    receiver.answer = lambda *_: (500, {}, b"no")
                dispatcher.run_once()
                attempts += len(receiver.requests)
        world.clock.pass_(minutes=1)
    # The whole hour nothing got through, and nothing was given up.
    assert {delivery.state for delivery in world.deliveries(row)} == {"pending"}
    assert len(sent) == 30 and (attempts > 0) == (fault != "down")

    with receiving(port=port) as receiver:
        back = world.clock.now
        while any(delivery.state == "pending" for delivery in world.deliveries(row)):
            dispatcher.run_once()
            world.clock.pass_(minutes=1)
        arrived = [body["data"]["warning"]["id"] for body in receiver.bodies]
        ids = [headers["webhook-id"] for headers, _ in receiver.requests]
    assert arrived == sent and len(set(ids)) == len(sent)
    # It has caught up within the longest wait between attempts.
    assert world.clock.now - back <= timedelta(minutes=11)
    deliveries = world.deliveries(row)
    assert {delivery.state for delivery in deliveries} == {"delivered"}
    # While it was away it was not hammered: waits grow to ten minutes.
    assert 8 <= deliveries[0].attempts <= 25
    world.close()
