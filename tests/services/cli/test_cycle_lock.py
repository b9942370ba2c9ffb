"""`hazecast run` and the scheduled cycle don't run at once."""

from __future__ import annotations

import threading

from typer.testing import CliRunner

from hazecast.services.cli.app import app
from hazecast.services.scheduling.tasks import cycle_lock
from tests.support.settings import make_settings


def test_a_manual_run_is_refused_beside_another_cycle_or_waits_for_it(tmp_path, monkeypatch) -> None:
    settings, runs = make_settings(data_dir=tmp_path), []

    def run(*_: object, **__: object) -> None:
        runs.append(1)
        raise LookupError("the cycle itself is not the subject")

    monkeypatch.setattr("hazecast.services.work.cycle.run_cycle", run)
    with cycle_lock(settings):
        refused = CliRunner().invoke(app, ["run", "--data-dir", str(tmp_path)])
        assert refused.exit_code == 1 and "another process is running a cycle" in refused.output and not runs
        entered, release = threading.Event(), threading.Event()
    # A thread stands for the other process: the lock belongs to who opened its file.

    def other() -> None:
        with cycle_lock(settings):
            entered.set()
            release.wait(10.0)

    thread = threading.Thread(target=other)
    thread.start()
    assert entered.wait(10.0)
    threading.Timer(0.2, release.set).start()
    waited = CliRunner().invoke(app, ["run", "--wait", "20", "--data-dir", str(tmp_path)])
    thread.join()
    assert isinstance(waited.exception, LookupError) and runs == [1]
