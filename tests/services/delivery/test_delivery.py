"""Which subscription is notified of which event, in which order, how long it is tried, and what is stored."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from hazecast.grids.errors import ConflictError
from hazecast.services.delivery.channel import Outcome
from hazecast.services.delivery.lateness import lateness_of
from hazecast.services.delivery.queries import prune
from hazecast.services.delivery.routing import wants
from hazecast.services.delivery.subscription_fields import Change
from hazecast.services.store.drafts import warning_row
from hazecast.services.store.outbox import record_run
from hazecast.services.store.tables.delivery import OutboxEvent, Subscription
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun, Warning_
from tests.support.delivery_world import REGISTRY, START, World, message
from tests.support.settings import changed

HOUR = timedelta(hours=1)


@pytest.fixture
def world(tmp_path, databases):
    world = World(tmp_path, databases.url(tmp_path))
    yield world
    world.close()


def run_at(world: World, warnings, digest: str = "a", *, again: bool = False) -> list[str]:
    """Store a run as the cycle does, in place of an earlier one of its time; return the events it added."""
    before = {event.id for event in world.events()}
    with world.store.sessions.begin() as session:
        cycle = CycleRun(init_time=START, simulated=False, status="done", started_at=START)
        session.add(cycle)
        session.flush()
        old = session.scalar(select(ForecastRun))
        if old is not None:
            session.delete(old)
        for row in session.scalars(select(Warning_)):
            session.delete(row)
        session.flush()
        run = ForecastRun(
            cycle_id=cycle.id, init_time=START, simulated=False, degraded=False, model_id="m", weather_source="none",
            humidity_source="", observations_until=START, netcdf_path=f"{cycle.id}.nc", map_path="m.png",
            created_at=START,
        )  # fmt: skip
        session.add(run)
        session.add_all(warning_row(warning) for warning in warnings)
        session.flush()
        record_run(session, run, digest, warnings)
    return [event.id for event in world.events() if event.id not in before]


def test_a_cycle_run_again_adds_nothing_and_what_changed_is_a_revision(world) -> None:
    beijing, tianjin = message("beijing", START), message("tianjin", START)
    assert run_at(world, [tianjin, beijing]) == ["forecast.20260115T2200Z", beijing.id, tianjin.id]
    assert run_at(world, [beijing, tianjin]) == []
    # A later observation changes one message and takes the other away.
    redder = beijing.model_copy(update={"level": "red"})
    assert run_at(world, [redder], "b") == ["forecast.20260115T2200Z.r2", f"{beijing.id}.r2", f"{tianjin.id}.r2"]
    assert [event.type for event in world.events()][-2:] == ["warning.issue", "warning.withdrawn"]
    assert run_at(world, [redder], "b") == []
    # And brings it back.
    assert run_at(world, [redder, tianjin], "b") == [f"{tianjin.id}.r3"]
    assert [event.seq for event in world.events()] == list(range(1, 8))


def test_what_a_person_let_out_is_not_withdrawn(world) -> None:
    out = world.warn("tianjin")
    assert run_at(world, [message("beijing", START), out]) == [
        "forecast.20260115T2200Z",
        f"cma_haze.beijing.{START:%Y%m%dT%H%M%SZ}",
    ]
    assert "warning.withdrawn" not in {event.type for event in world.events()}


def test_a_transaction_that_fails_leaves_no_event(world) -> None:
    with pytest.raises(RuntimeError), world.store.sessions.begin() as session:
        session.add(warning_row(message("beijing", START)))
        session.flush()
        raise RuntimeError("killed")
    assert world.events() == []


def event(**given) -> OutboxEvent:
    return OutboxEvent(
        **{
            "type": "warning.issue", "simulated": False, "rule_set": "cma_haze", "city": "beijing", "levels": ["orange"],
            "subscription_id": None,
        } | given
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "happened", "expected"),
    [
        ({}, {}, True),
        ({"cities": ["beijing"]}, {}, True),
        ({"cities": ["tianjin"]}, {}, False),
        ({"regions": ["beijing"]}, {}, True),
        ({"cities": ["tianjin"], "regions": ["beijing"]}, {}, True),
        ({"regions": ["hebei"]}, {"city": "shijiazhuang"}, True),
        ({"regions": ["hebei"]}, {"city": "a_city_of_the_past"}, False),
        ({"levels": ["orange", "red"]}, {}, True),
        ({"levels": ["red"]}, {}, False),
        # Down from red to orange: who asked for red learns that it is over.
        ({"levels": ["red"]}, {"type": "warning.downgrade", "levels": ["orange", "red"]}, True),
        ({"rule_sets": ["cma_haze"]}, {}, True),
        ({"rule_sets": ["jp_pm25"]}, {}, False),
        ({"kinds": ["bulletin"]}, {}, False),
        ({"kinds": ["forecast"]}, {"type": "forecast.updated", "city": None, "levels": []}, True),
        ({}, {"type": "forecast.updated", "city": None, "levels": []}, False),
        ({}, {"simulated": True}, False),
        ({"simulated": True}, {"simulated": True}, True),
        ({"state": "paused"}, {}, True),
        ({"state": "stopped"}, {}, False),
        ({"state": "unconfirmed"}, {}, False),
        ({"state": "unconfirmed"}, {"subscription_id": "sub_1"}, True),
        ({}, {"subscription_id": "sub_2"}, False),
    ],
)
def test_which_subscription_is_notified(asked, happened, expected) -> None:
    none: list[str] = []
    row = Subscription(
        **{
            "id": "sub_1", "kinds": ["warning"], "cities": none, "regions": none, "rule_sets": none, "levels": none,
            "simulated": False, "state": "active",
        } | asked
    )  # fmt: skip
    assert wants(row, event(**happened), REGISTRY) is expected


def test_the_level_that_is_left_is_noted(world) -> None:
    first = world.warn(level="red", number="a")
    world.clock.pass_(hours=12)
    world.warn(level="orange", kind="downgrade", references=(first.id,), number="b")
    assert [row.levels for row in world.events()] == [["red"], ["orange", "red"]]


def test_the_next_waits_for_the_one_before(world) -> None:
    row = world.subscribe()
    first, second = world.warn(number="a"), world.warn(number="b")
    world.ear.answer = lambda _: Outcome("failed", 500, "down")
    dispatcher = world.dispatcher()
    for _ in range(3):
        assert dispatcher.run_once() == 0
        world.clock.pass_(minutes=15)
    waiting = world.deliveries(row)
    assert [delivery.attempts for delivery in waiting] == [3, 0] and waiting[0].error == "down"
    assert world.reload(row).failures == 3
    world.ear.answer = lambda _: Outcome("delivered", 200)
    assert dispatcher.run_once() == 2
    assert [m.event_id for m in world.ear.messages] == [first.id, second.id] and world.reload(row).failures == 0


def test_waits_double_up_to_a_limit_and_heed_the_receiver(world) -> None:
    row = world.subscribe()
    world.warn()
    dispatcher, waits, asked = world.dispatcher(), [], [None] * 9 + [300.0, 86_400.0]
    for wish in asked:
        world.ear.answer = lambda _, wish=wish: Outcome("failed", 503, "busy", retry_after=wish)
        dispatcher.run_once()
        waits.append((world.reload(row).next_attempt_at - world.clock()).total_seconds())
        world.clock.now = world.reload(row).next_attempt_at
    for number, wait in enumerate(waits[:7]):
        assert 0.5 * 5 * 2**number <= wait <= 5 * 2**number
    assert all(300 <= wait <= 600 for wait in waits[7:]) and waits[-1] == 600
    # Before its time nothing is tried.
    world.clock.pass_(seconds=-1)
    assert dispatcher.due() == []


def test_what_can_t_be_delivered_for_days_is_a_dead_letter_and_can_be_sent_again(world) -> None:
    row = world.subscribe()
    old = [world.warn(number=f"n{number}").id for number in range(3)]
    world.ear.answer = lambda _: Outcome("failed", None, "ConnectError")
    dispatcher = world.dispatcher()
    dispatcher.run_once()
    world.clock.pass_(hours=71)
    young = world.warn(number="young").id
    dispatcher.run_once()
    assert {delivery.state for delivery in world.deliveries(row)} == {"pending"}
    world.clock.pass_(hours=2)
    dispatcher.run_once()
    # All that waited as long as the first goes with it; the younger one goes on waiting.
    assert [delivery.state for delivery in world.deliveries(row)] == ["dead"] * 3 + ["pending"]
    assert "ConnectError" in str(world.deliveries(row)[1].error)
    world.ear.answer = lambda _: Outcome("delivered", 200)
    world.clock.pass_(hours=1)
    assert dispatcher.run_once() == 1
    assert world.queue.replay_dead(row.id, world.clock()) == 3 and world.queue.replay_dead(row.id, world.clock()) == 0
    assert dispatcher.run_once() == 3
    assert [m.event_id for m in world.ear.messages] == [young, *old]
    assert [delivery.replays for delivery in world.deliveries(row)] == [0, 1, 1, 1]


def test_a_message_that_is_refused_holds_up_the_others_for_an_hour_at_most(world) -> None:
    row = world.subscribe()
    bad, good = world.warn(number="bad"), world.warn(number="good")
    world.ear.answer = lambda messages: (
        Outcome("refused", 422, "HTTP 422") if messages[0].event_id == bad.id else Outcome("delivered", 200)
    )
    dispatcher = world.dispatcher()
    dispatcher.run_once()
    world.clock.pass_(minutes=30)
    dispatcher.run_once()
    assert [delivery.state for delivery in world.deliveries(row)] == ["pending"] * 2
    world.clock.pass_(minutes=31)
    assert dispatcher.run_once() == 1
    assert [delivery.state for delivery in world.deliveries(row)] == ["dead", "delivered"]
    assert [m.event_id for m in world.ear.messages] == [good.id]


def test_gone_stops_a_subscription_until_its_owner_starts_it(world) -> None:
    from hazecast.services.delivery.subscription_fields import Change

    row = world.subscribe()
    world.warn(number="a")
    world.ear.answer = lambda _: Outcome("gone", 410, "HTTP 410")
    dispatcher = world.dispatcher()
    dispatcher.run_once()
    stopped = world.reload(row)
    assert stopped.state == "stopped" and "410" in stopped.state_reason
    world.clock.pass_(hours=1)
    world.warn(number="b")
    assert dispatcher.run_once() == 0 and len(world.deliveries(row)) == 1
    world.ear.answer = lambda _: Outcome("delivered", 200)
    world.subscriptions.change(stopped, Change(state="active"), world.clock())
    assert dispatcher.run_once() == 1


def test_paused_messages_wait_and_are_given_up_like_all(world) -> None:
    from hazecast.services.delivery.subscription_fields import Change

    row = world.subscribe()
    world.subscriptions.change(row, Change(state="paused"), world.clock())
    kept, dispatcher = world.warn(number="a"), world.dispatcher()
    assert dispatcher.run_once() == 0 and [d.state for d in world.deliveries(row)] == ["pending"]
    world.subscriptions.change(world.reload(row), Change(state="active"), world.clock())
    assert dispatcher.run_once() == 1 and world.ear.messages[0].event_id == kept.id
    world.subscriptions.change(world.reload(row), Change(state="paused"), world.clock())
    world.warn(number="b")
    dispatcher.run_once()
    world.clock.pass_(hours=73)
    dispatcher.run_once()
    assert [d.state for d in world.deliveries(row)] == ["delivered", "dead"]


def test_one_slow_receiver_and_one_broken_message_delay_no_other(world) -> None:
    slow, quick = world.subscribe(), world.subscribe(account="kitakyushu")
    world.warn()
    world.ear.answer = lambda _: Outcome("delivered", 200)

    class Broken:
        batch_size = 1

        def send(self, subscription, messages, now):
            if subscription.id == slow.id:
                raise ValueError("can't be written")
            return world.ear.send(subscription, messages, now)

    assert world.dispatcher(webhook=Broken()).run_once() == 1
    (failed,), (sent,) = world.deliveries(slow), world.deliveries(quick)
    assert (failed.state, sent.state) == ("pending", "delivered") and "can't be written" in str(failed.error)


def test_two_dispatchers_never_serve_one_receiver_at_once(world) -> None:
    row = world.subscribe()
    for number in range(3):
        world.warn(number=f"n{number}")
    first, second = world.dispatcher(1), world.dispatcher(2)
    seen = []

    def answer(messages):
        seen.append(second.due())
        assert second.serve(row.id) == 0
        return Outcome("delivered", 200)

    world.ear.answer = answer
    assert first.run_once() == 3 and seen == [[], [], []]


def test_what_waits_is_sent_now_in_its_place_unless_the_subscription_is_paused(world) -> None:
    row = world.subscribe()
    first, second = world.warn(number="a").id, world.warn(number="b").id
    world.ear.answer = lambda _: Outcome("failed", 500, "down")
    world.dispatcher().run_once()
    world.ear.answer = lambda _: Outcome("delivered", 200)
    assert world.dispatcher().run_once() == 0
    # The second is asked for: the first, which waits before it, goes out first.
    assert world.queue.replay([world.deliveries(row)[1].id], world.clock()) == 1
    assert world.dispatcher().run_once() == 2
    assert [one.event_id for one in world.ear.messages] == [first, second]
    assert [one.replays for one in world.deliveries(row)] == [0, 0]
    world.subscriptions.change(world.reload(row), Change(state="paused"), world.clock())
    third = world.warn(number="c").id
    world.dispatcher().prepare()
    waiting = world.deliveries(row)[-1]
    for send in (lambda: world.queue.replay([waiting.id], world.clock()),
                 lambda: world.queue.send_now(row.id, world.clock())):  # fmt: skip
        with pytest.raises(ConflictError, match="paused"):
            send()
    world.clock.pass_(minutes=10)
    world.subscriptions.change(world.reload(row), Change(state="active"), world.clock())
    assert world.dispatcher().run_once() == 1 and world.ear.messages[-1].event_id == third
    late = [lateness_of(one, world.clock()) for one in world.deliveries(row)]
    assert [(one.reason, one.error) for one in late] == [("failed", "500 down"), ("behind", None), ("paused", None)]
    assert late[-1].seconds == 600.0


def test_what_nobody_sent_is_late_without_a_failure(world) -> None:
    row = world.subscribe()
    world.warn()
    dispatcher = world.dispatcher()
    dispatcher.prepare()
    assert lateness_of(world.deliveries(row)[0], world.clock()) is None
    world.clock.pass_(minutes=5)
    assert dispatcher.run_once() == 1
    late = lateness_of(world.deliveries(row)[0], world.clock())
    assert late is not None and (late.reason, late.seconds) == ("unserved", 300.0)


def test_history_is_removed_after_its_time_but_never_what_waits(world) -> None:
    row = world.subscribe()
    for number in range(3):
        world.warn(number=f"n{number}")
    world.dispatcher().run_once()
    paused = world.subscribe(account="kitakyushu", name="other")
    world.clock.pass_(days=30)
    world.warn(number="late")
    world.dispatcher().prepare()
    last = max(delivery.position for delivery in world.deliveries())
    prune(world.store.sessions, world.clock() - timedelta(days=10))
    assert world.deliveries(row)[0].state == "pending" and len(world.deliveries(row)) == 1
    assert [event.seq for event in world.events()] == [4] and len(world.deliveries(paused)) == 1
    prune(world.store.sessions, world.clock() + timedelta(days=10))
    assert len(world.deliveries()) == 2
    # Numbers go on from where they were.
    world.warn(number="later")
    world.dispatcher().prepare()
    assert max(delivery.position for delivery in world.deliveries()) == last + 2
    assert world.events()[-1].seq == 5


def test_dispatchers_side_by_side_send_each_message_once_and_in_order(world) -> None:
    rows = [
        world.subscribe(account=name, name=f"{name} {number}")
        for name in ("tianjin", "kitakyushu")
        for number in range(2)
    ]
    heard: dict[str, list[str]] = {row.id: [] for row in rows}
    sent: list[str] = []
    stop = threading.Event()

    class Slow:
        batch_size = 1

        def send(self, subscription, messages, now):
            time.sleep(0.002)
            heard[subscription.id].append(messages[0].event_id)
            return Outcome("delivered", 200)

    # Real time: leases separate them.
    world.clock = lambda: datetime.now(UTC)
    settings = changed(world.settings, delivery_poll_seconds=0.01, delivery_workers=3)
    world.settings = settings
    threads = [
        threading.Thread(target=world.dispatcher(number, webhook=Slow()).run, args=(stop,)) for number in range(3)
    ]
    for thread in threads:
        thread.start()
    try:
        for number in range(30):
            sent.append(world.warn(number=f"n{number}").id)
        until = time.monotonic() + 60.0
        while any(len(names) < len(sent) for names in heard.values()) and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert heard == dict.fromkeys(heard, sent)
