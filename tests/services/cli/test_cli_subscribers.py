"""Subscriptions on the command line: what it prints, and a dispatcher that is stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from hazecast.grids.errors import InputError, UnknownError
from hazecast.services.cli.app import app
from hazecast.services.delivery.service import make_dispatcher
from tests.support.delivery_world import World
from tests.support.receivers import receiving
from tests.support.settings import SEAL_KEY


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.clock.now = datetime.now(UTC)
    yield world
    world.close()


def test_the_commands(world) -> None:
    def hazecast(*arguments: str):
        key = {"HAZECAST_WEBHOOK_SECRET_KEY": SEAL_KEY}
        return CliRunner(env=key).invoke(app, ["subscribers", *arguments, "--data-dir", str(world.settings.data_dir)])

    made = hazecast(
        "add", "tianjin", "--name", "desk", "--webhook", "https://1.1.1.1/x", "--city", "beijing", "--confirmed"
    )
    assert made.exit_code == 0 and "active" in made.output and "whsec_" in made.output
    (row,) = json.loads(hazecast("list", "--account", "tianjin").output)
    assert row["cities"] == ["beijing"] and row["account"] == "tianjin" and "whsec_" not in str(row)
    for arguments, error in (
        (("add", "nobody", "--name", "x"), UnknownError),
        (("add", "tianjin", "--name", "x", "--webhook", "https://localhost/x"), InputError),
        (("add", "tianjin", "--name", "x", "--webhook", "https://1.1.1.1/x", "--email", "a@b.example"), InputError),
        (("remove", "sub_none"), UnknownError),
        (("replay", "msg_none"), UnknownError),
        (("deliveries", "--state", "lost"), InputError),
    ):
        assert isinstance(hazecast(*arguments).exception, error), arguments
    name = hazecast("test", row["id"]).output.strip()
    world.clock.now = datetime.now(UTC)
    world.dispatcher().run_once()
    (delivery,) = json.loads(hazecast("deliveries", row["id"]).output)
    assert delivery["id"] == name and delivery["state"] == "delivered"
    assert "1 will be sent again" in hazecast("replay", name).output
    assert "0 will be sent again" in hazecast("replay", row["id"]).output
    assert json.loads(hazecast("deliveries", "--state", "pending").output)[0]["replays"] == 1
    assert "1 will be sent now" in hazecast("send-now", row["id"]).output
    assert hazecast("remove", row["id"]).exit_code == 0 and json.loads(hazecast("list").output) == []


def test_deliver_sends_until_it_is_stopped_in_the_middle_of_a_message(tmp_path) -> None:
    with receiving() as receiver:
        given = {
            "webhook_http": True, "webhook_ports": (receiver.port,), "webhook_networks": ("127.0.0.0/8",),
            "delivery_poll_seconds": 0.05,
        }  # fmt: skip
        world = World(tmp_path, **given)
        world.clock.now = datetime.now(UTC)
        world.subscribe(target=receiver.url)
        sent = [world.warn(number="1").id]
        environment = os.environ | {
            "HAZECAST_WEBHOOK_SECRET_KEY": SEAL_KEY, "HAZECAST_WEBHOOK_HTTP": "1", "HAZECAST_WEBHOOK_PORTS": str(receiver.port),
            "HAZECAST_WEBHOOK_NETWORKS": "127.0.0.0/8", "HAZECAST_DELIVERY_POLL_SECONDS": "0.05", "OMP_NUM_THREADS": "1",
        }  # fmt: skip
        command = [sys.executable, "-m", "hazecast.services.cli.app", "deliver", "--data-dir", str(tmp_path)]
        process = subprocess.Popen(command, env=environment)
        try:
            _wait_for(receiver, 1)

            def answer(*_: object) -> tuple[int, dict[str, str], bytes]:
                process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
                return 204, {}, b""

            receiver.answer = answer
            sent += [world.warn(number=number).id for number in "234"]
            _wait_for(receiver, 2)
            code = process.wait(60)
        finally:
            process.kill()
        assert code == 0
        # What was under way has ended and is known to have; the rest waits, and is sent by the next process, once each.
        assert [delivery.state for delivery in world.deliveries()] == ["delivered"] * 2 + ["pending"] * 2
        receiver.answer = lambda *_: (204, {}, b"")
        assert make_dispatcher(world.store, world.settings).run_once() == 2
        assert [body["data"]["warning"]["id"] for body in receiver.bodies] == sent
        world.close()


def _wait_for(receiver, number: int) -> None:
    until = time.monotonic() + 90.0
    while len(receiver.requests) < number and time.monotonic() < until:
        time.sleep(0.05)
    assert len(receiver.requests) >= number
