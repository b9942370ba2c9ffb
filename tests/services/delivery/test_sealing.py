"""Webhooks' secrets in the store: a copy of the database signs nothing, and keys are changed without a gap."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select, text
from standardwebhooks import Webhook
from typer.testing import CliRunner

from hazecast.grids.errors import ConflictError, InputError
from hazecast.services.cli.app import app
from hazecast.services.delivery.channel import Message
from hazecast.services.delivery.sealing import Sealed, Seals, new_seal_key, seal_stored, seals_of
from hazecast.services.delivery.service import make_dispatcher
from hazecast.services.delivery.webhook import WebhookChannel
from hazecast.services.store.backup import back_up
from hazecast.services.store.tables.delivery import Subscription
from tests.support.delivery_world import START, World
from tests.support.settings import SEAL_KEY, make_settings

OLD, NEW = SEAL_KEY, new_seal_key()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def stored(world: World) -> list[str]:
    with world.store.sessions() as session:
        return [
            value for row in session.execute(select(Subscription.secret, Subscription.previous_secret)) for value in row
        ]


def with_keys(*keys: str):
    return make_settings(webhook_secret_key=",".join(keys))


def test_no_secret_is_in_the_database_or_a_backup(world, tmp_path) -> None:
    row = world.subscribe()
    before = world.subscriptions.secret_of(row)
    after, _ = world.subscriptions.rotate(row, world.clock())
    assert before != after == world.subscriptions.secret_of(world.reload(row))
    back_up(world.settings, tmp_path / "copy.tar")
    with world.store.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    for secret in (before, after):
        for path in (tmp_path / "hazecast.db", tmp_path / "copy.tar"):
            assert secret.removeprefix("whsec_").encode() not in path.read_bytes()
    assert all(value.startswith("fernet:") for value in stored(world))


def test_other_channels_have_no_secret(world) -> None:
    row = world.subscribe(channel="stream", target="")
    assert world.subscriptions.secret_of(row) == "" == stored(world)[0]
    with pytest.raises(ConflictError, match="webhook"):
        world.subscriptions.rotate(row, world.clock())


def test_plain_secrets_of_an_earlier_version_are_sealed_when_a_service_starts(world) -> None:
    row = world.subscribe()
    secret = world.subscriptions.secret_of(row)
    with world.store.sessions.begin() as session:
        session.get_one(Subscription, row.id).secret = secret
    assert seal_stored(world.store.sessions, seals_of(make_settings(webhook_secret_key=""))) == Sealed(plain=1)
    assert stored(world)[0] == secret
    make_dispatcher(world.store, world.settings)
    assert stored(world)[0].startswith("fernet:") and world.subscriptions.secret_of(world.reload(row)) == secret
    assert seal_stored(world.store.sessions, seals_of(world.settings)) == Sealed(before=1)


def test_a_key_is_changed_without_a_gap(world) -> None:
    row = world.subscribe()
    secret = world.subscriptions.secret_of(row)
    both = seals_of(with_keys(NEW, OLD))
    assert both.open(stored(world)[0]) == secret
    assert seal_stored(world.store.sessions, both) == Sealed(sealed=1)
    assert seals_of(with_keys(NEW)).open(stored(world)[0]) == secret
    with pytest.raises(InputError, match=r"HAZECAST_WEBHOOK_SECRET_KEY.*no key that opens it"):
        seals_of(with_keys(OLD)).open(stored(world)[0])
    assert seal_stored(world.store.sessions, seals_of(with_keys(OLD))) == Sealed(lost=1)
    assert seals_of(with_keys(NEW)).open(stored(world)[0]) == secret  # what can't be opened stays as it is


def test_without_a_key_it_is_said_and_nothing_is_signed(world) -> None:
    row = world.subscribe()
    keyless = make_settings(webhook_secret_key="", webhook_http=True, webhook_networks=("127.0.0.0/8",))
    item = Message("msg_1", "event", "subscription.test", START, False, "batch", {}, "{}")
    outcome = WebhookChannel(keyless, resolve=lambda *_: pytest.fail("nothing is sent")).send(row, [item], START)
    assert outcome.kind == "failed" and "HAZECAST_WEBHOOK_SECRET_KEY" in outcome.error
    with pytest.raises(InputError, match="subscribers new-key"):
        Seals().seal("whsec_x")


def test_a_malformed_key_is_named_but_not_shown() -> None:
    with pytest.raises(InputError, match=r"HAZECAST_WEBHOOK_SECRET_KEY: key 2") as error:
        seals_of(with_keys(OLD, "not-a-key"))
    assert "not-a-key" not in str(error.value)


def test_the_commands(world) -> None:
    def hazecast(*arguments: str, key: str = OLD):
        settings = {"HAZECAST_WEBHOOK_SECRET_KEY": key, "HAZECAST_DATA_DIR": str(world.settings.data_dir)}
        return CliRunner(env=settings).invoke(app, ["subscribers", *arguments])

    refused = hazecast("add", "tianjin", "--name", "x", "--webhook", "https://1.1.1.1/x", key="").exception
    assert isinstance(refused, InputError) and "HAZECAST_WEBHOOK_SECRET_KEY" in str(refused)
    shown = hazecast("add", "tianjin", "--name", "x", "--webhook", "https://1.1.1.1/x").output
    assert Webhook(shown.split()[-1]).sign("msg_1", START, json.dumps({}))
    key = hazecast("new-key").output.strip()
    assert "1 sealed, 0 were" in hazecast("seal", key=f"{key},{OLD}").output
    lost = hazecast("seal", key=NEW)
    assert lost.exit_code == 3 and "1 that no key opens" in lost.output
