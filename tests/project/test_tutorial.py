"""The tutorial for a bureau, run as it is written: from an empty folder to a warning and a foreign city's forecast by mail."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from email.policy import default

import pytest
from aiosmtpd.controller import Controller

from tests.support.composition_publishers import dusty_air
from tests.support.doc_blocks import blocks_of
from tests.support.paths import ROOT
from tests.support.receivers import free_port
from tests.support.weather_publishers import OpenMeteoServer

TUTORIAL = ROOT / "docs" / "tutorials" / "bureau.md"
# Degraded is what the tutorial says the live run is: a model's analysis in place of measurements.
PROLOGUE = 'set -eu\nhazecast() { "$PYTHON" -W ignore -m hazecast.services.cli.app "$@" || [ $? = 3 ]; }\n'


class Mailbox:
    """An SMTP server's handler that keeps what it gets."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@pytest.fixture
def mailbox():
    box, port = Mailbox(), free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port, ready_timeout=30.0)
    controller.start()
    box.port = port
    yield box
    controller.stop()


def script() -> str:
    blocks = blocks_of(TUTORIAL)
    assert sum(block.left_out is not None for block in blocks) == 2, (
        "the installation, and what runs until it is stopped"
    )
    return PROLOGUE + "".join(block.text for block in blocks if block.left_out is None)


@pytest.mark.slowest
@pytest.mark.timeout(900)
def test_the_tutorial_ends_with_a_warning_and_a_forecast_in_the_mailbox(tmp_path, mailbox, source_server) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    run = now - timedelta(hours=8)
    OpenMeteoServer(source_server, run.replace(hour=run.hour - run.hour % 6))
    source_server.route("/v1/air-quality", dusty_air)
    urls = dict.fromkeys(("OPEN_METEO_URL", "OPEN_METEO_AIR_URL", "GFS_URL"), source_server.url) | {
        "HTTP_ATTEMPTS": "1"
    }
    own = {name: value for name, value in os.environ.items() if not name.startswith("HAZECAST_")}
    commands = script().replace("localhost", "127.0.0.1", 1).replace("1025", str(mailbox.port))
    began = time.monotonic()
    done = subprocess.run(
        ["/bin/bash", "-c", commands], cwd=tmp_path, capture_output=True, text=True, timeout=880, check=False,
        env=own | {f"HAZECAST_{name}": value for name, value in urls.items()}
        | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert time.monotonic() - began < 15 * 60
    exercise, *live = mailbox.mails
    assert "warning" in exercise["Subject"].lower() or "alert" in exercise["Subject"].lower()
    assert re.search("EXERCISE|SIMULATED", exercise.get_body(("plain",)).get_content(), re.IGNORECASE)
    assert any(part.get_content_type() == "image/png" for part in exercise.walk()), "the map is inside the mail"
    assert live and all("EXERCISE" not in mail["Subject"] for mail in live)
    assert all("Lyon" in mail["Subject"] for mail in live) and "Lyon, forecast of" in done.stdout
    assert "alembic" not in done.stderr, "what libraries log is not for users"
    assert list((tmp_path / "bulletins").glob("hazecast-bulletin-beijing-simulated-*-en.html"))
