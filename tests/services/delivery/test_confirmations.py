"""Who is asked to confirm, how often, and that nobody else answers for them."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hazecast.grids.errors import ConflictError, InputError
from hazecast.services.accounts.accounts import add_account
from hazecast.services.accounts.keys import add_key
from hazecast.services.core.field_limits import is_plain, plain_lines
from hazecast.services.delivery.confirmations import mailbox_of
from hazecast.services.delivery.subscription_fields import Change, NewSubscription
from tests.support.delivery_world import START, World

MAIL = {"channel": "email", "target": "duty@bureau.example", "confirmed": False}
# Unicode's marks, embeddings, overrides and isolates of direction.
DIRECTIONS = [chr(code) for code in (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))]


@pytest.fixture
def world(tmp_path):
    world = World(
        tmp_path, smtp_host="127.0.0.1", public_url="https://haze.example", confirmations_per_address=2,
        confirmations_per_day=3,
    )  # fmt: skip
    yield world
    world.close()


def asked_of(world: World) -> list[str]:
    return [event.subject for event in world.events() if event.type == "subscription.confirmation"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("duty@bureau.example", "DUTY@Bureau.Example", True),
        ("duty@bureau.example", "duty+haze@bureau.example", True),
        ("duty+a@bureau.example", "Duty+b@bureau.example", True),
        ("duty@bureau.example", "desk@bureau.example", False),
        ("duty@bureau.example", "duty@other.example", False),
        ("du@ty@bureau.example", "du@bureau.example", False),
    ],
)
def test_a_mailbox_is_counted_however_its_address_is_written(one, other, same) -> None:
    assert (mailbox_of(one) == mailbox_of(other)) is same
    assert "duty" not in mailbox_of(one)


def test_a_mailbox_is_asked_so_often_whatever_is_deleted_and_by_whom(world) -> None:
    for account, target in (("tianjin", "duty@bureau.example"), ("kitakyushu", "Duty+x@bureau.example")):
        world.subscriptions.remove(world.subscribe(account, **MAIL | {"target": target}))
    for account in ("tianjin", "kitakyushu"):
        with pytest.raises(ConflictError, match="asked for in 30 days"):
            world.subscribe(account, **MAIL | {"target": "DUTY+y@bureau.example"})
    assert len(asked_of(world)) == 2 and world.subscriptions.list(None) == []
    world.subscribe(**MAIL | {"target": "desk@bureau.example"})
    world.subscribe(**MAIL | {"confirmed": True})  # an operator vouches, nobody is asked
    world.clock.pass_(days=30, seconds=1)
    assert world.subscribe(**MAIL).state == "unconfirmed"


def test_an_account_asks_so_many_a_day(world) -> None:
    for number in range(3):
        world.subscriptions.remove(world.subscribe(**MAIL | {"target": f"duty{number}@bureau.example"}))
    with pytest.raises(ConflictError, match="in 24 h"):
        world.subscribe(confirmed=False)  # a webhook counts too
    world.subscribe("kitakyushu", confirmed=False)
    world.clock.pass_(hours=24, seconds=1)
    assert world.subscribe(confirmed=False).state == "unconfirmed"


def test_a_confirmation_is_waited_for_some_days(world) -> None:
    row = world.subscribe(**MAIL)
    world.clock.pass_(days=7)
    with pytest.raises(ConflictError, match="one that is over"):
        world.subscriptions.confirm(row.id, row.code, world.clock())
    world.dispatcher().prepare()
    stopped = world.reload(row)
    assert (stopped.state, stopped.state_reason) == ("stopped", "not confirmed in time")
    again = world.subscriptions.change(stopped, Change(state="active"), world.clock())
    assert again.state == "unconfirmed" and asked_of(world) == [row.id, row.id]
    world.subscriptions.confirm(row.id, row.code, world.clock())
    assert world.reload(row).state == "active"


def test_only_the_receiver_takes_an_unsubscription_back(world) -> None:
    row = world.subscribe(confirmed=False)
    world.subscriptions.confirm(row.id, row.code, world.clock())
    assert world.reload(row).confirmed_at == START
    world.subscriptions.unsubscribe(row.id, row.code, world.clock())
    for state in ("paused", "active"):
        left = world.reload(row)
        if state == "paused":
            with pytest.raises(ConflictError, match="before the receiver has confirmed"):
                world.subscriptions.change(left, Change(state=state), world.clock())
        else:
            world.clock.pass_(seconds=1)
            world.subscriptions.change(left, Change(state=state), world.clock())
    world.dispatcher().run_once()
    world.warn()
    world.dispatcher().run_once()
    assert {message.type for message in world.ear.messages} == {"subscription.confirmation"}
    world.subscriptions.confirm(row.id, row.code, world.clock())
    world.warn(number="b")
    world.dispatcher().run_once()
    assert world.ear.messages[-1].type == "warning.issue"


def test_what_the_receiver_s_server_stopped_its_owner_starts(world) -> None:
    row = world.subscribe()
    with world.store.sessions.begin() as session:
        session.merge(row).state = "stopped"
    assert world.subscriptions.change(world.reload(row), Change(state="active"), world.clock()).state == "active"


@pytest.mark.parametrize("mark", [*DIRECTIONS, "\x00", "\x1b", "\x85", "\u2028", "\u200b"])
def test_no_stored_text_reads_otherwise_than_it_is_written(world, mark) -> None:
    text = f"duty{mark}desk"
    assert not is_plain(text)
    for model in (Change, NewSubscription):
        with pytest.raises(ValidationError, match="marks of direction"):
            model(name=text, **({"channel": "stream"} if model is NewSubscription else {}))
    with pytest.raises(InputError, match="name"):
        add_account(world.store.sessions, "desk", name=text, role="public", at=START)
    with pytest.raises(InputError, match="label"):
        add_key(
            world.store.sessions, "tianjin", label=text, lifetime=START - START.replace(year=2025), at=START, by="x"
        )
    with pytest.raises(ValueError, match="marks of direction"):
        plain_lines(f"first\n{text}")


@pytest.mark.parametrize("text", ["天津　值班", "当直室", "Duty desk 2", "北九州市（環境局）"])
def test_names_in_every_language_are_plain(text) -> None:
    assert is_plain(text) and plain_lines(f"{text}\r\n{text}")
