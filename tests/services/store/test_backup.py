"""Backup and restore: into an empty machine, of either kind of database, and nothing of a damaged one."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, text
from typer.testing import CliRunner

import hazecast.services.store.backup
from hazecast.grids.errors import InputError
from hazecast.services.cli.app import app
from hazecast.services.core.errors import StoreError
from hazecast.services.core.settings import Settings
from hazecast.services.store.backup import back_up, check_backup, restore
from hazecast.services.store.database import current_revision, head_revision
from hazecast.services.store.store import Store
from hazecast.services.store.tables.forecasts import CycleRun, ForecastRun
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle
from tests.support.databases import Databases
from tests.support.settings import make_settings
from tests.tools.kills import tables

INIT = datetime(2026, 1, 15, 22, tzinfo=UTC)
READS = (
    "/v1/cities/beijing/forecast", "/v1/warnings", "/v1/warnings/feed.atom", "/v1/maps/haze.png", "/v1/verification",
    "/v1/cycles",
)  # fmt: skip


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Settings:
    """A store with a run, drafts, a killed cycle, own models and ingested weather."""
    folder = tmp_path_factory.mktemp("source")
    settings = make_settings(data_dir=folder, rule_sets=("who_guideline",), approval=("who_guideline",))
    run_cycle(settings, init_time=INIT, cities=("beijing", "tianjin"))
    for name in ("models/own/card.json", "weather/gfs/20260115T1200Z.nc", "archive/analyses/2026-01.zarr/zarr.json"):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(name)
    (folder / "models" / "begun.part").write_text("x")
    store = Store(settings.database_url)
    cycle = store.begin_cycle(None, True)
    store.note_files(cycle, INIT, True, [folder / "forecasts" / "precious.nc"])
    store.close()
    return settings


@pytest.fixture(scope="module")
def backup(source, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("backup") / "hazecast.tar"
    back_up(source, path, weather=True, archive=True)
    return path


def answers(settings: Settings) -> dict[str, bytes]:
    app = create_app(settings)
    client = TestClient(app)
    found = {path: client.get(path) for path in READS}
    app.state.service.store.close()
    assert all(answer.status_code == 200 for answer in found.values())
    return {path: answer.content for path, answer in found.items()}


def test_a_restored_machine_answers_the_same_bytes_on_either_database(source, backup, postgres, tmp_path) -> None:
    settings, path = source, backup
    for number, databases in enumerate((Databases(postgres), Databases())):
        target = databases.settings(tmp_path / f"machine{number}")
        manifest = restore(target, path)
        assert manifest.tables["forecast_value"] == 240 and manifest.missing == []
        # A cycle that ran while the backup was made doesn't run here, and what it left there isn't this one's.
        store = Store(target.database_url, files=target.data_dir)
        killed = store.cycles()[0]
        assert (killed.status, killed.error, killed.report) == ("failed", "interrupted", None)
        assert store.recover() == 0 and current_revision(store.engine) == head_revision()
        assert store.begin_cycle(None, True) == killed.id + 1
        store.close()
        assert (target.data_dir / "models/own/card.json").read_text() == "models/own/card.json"
        assert (target.data_dir / "weather/gfs/20260115T1200Z.nc").exists()
        assert not list(target.data_dir.rglob("*.part")) and not (target.data_dir / ".restore").exists()
        store = Store(target.database_url, files=target.data_dir)
        run = store.latest_run()
        assert Path(run.netcdf_path).parent == target.data_dir / "forecasts" and Path(run.netcdf_path).exists()
        expected, found = answers(source), answers(target)
        expected.pop("/v1/cycles"), found.pop("/v1/cycles")
        assert found == expected
        # And on: a backup of the restored machine, restored again.
        with store.writing() as connection:
            connection.execute(text(f"DELETE FROM cycle_run WHERE id > {killed.id}"))
        store.close()
        path = tmp_path / f"again{number}.tar"
        back_up(target, path, weather=True)
        settings = target
    assert rows_of(settings) == rows_of(source)


def rows_of(settings: Settings) -> dict[str, list[str]]:
    """All rows but those of cycles, by what they hold; the data folder is another."""
    found = tables(settings.database_url)
    assert found.pop("cycle_run") and found["forecast_run"] and found["warning_audit"]
    return {name: [row.replace(str(settings.data_dir), "") for row in rows] for name, rows in found.items()}


def test_a_backup_says_what_is_in_it(source, backup) -> None:
    manifest = check_backup(backup)
    assert manifest.schema == head_revision() and manifest.tables["warning_draft"] > 0 and manifest.database == "sqlite"
    names = set(manifest.members)
    assert "files/archive/analyses/2026-01.zarr/zarr.json" in names and not any("begun" in name for name in names)
    assert sum(name.startswith("files/forecasts/") for name in names) == 1
    runner = CliRunner()
    assert "undamaged: " in runner.invoke(app, ["restore", str(backup), "--check"]).output
    small = backup.with_name("small.tar")
    done = runner.invoke(app, ["backup", str(small), "--data-dir", str(source.data_dir)])
    assert done.exit_code == 0 and "3 files" in done.output
    taken = runner.invoke(app, ["backup", str(small), "--data-dir", str(source.data_dir)])
    assert isinstance(taken.exception, InputError) and "no backup is overwritten" in str(taken.exception)
    small.unlink()


def test_a_target_that_is_not_empty_is_left_as_it_is(backup, databases, tmp_path) -> None:
    settings = databases.settings(tmp_path / "rows")
    store = databases.store(tmp_path / "rows")
    store.begin_cycle(None, False)
    with pytest.raises(InputError, match="rows in cycle_run; expected an empty database"):
        restore(settings, backup)
    assert len(store.cycles()) == 1
    store.close()
    settings = databases.settings(tmp_path / "files")
    (tmp_path / "files" / "maps").mkdir(parents=True)
    (tmp_path / "files" / "maps" / "old.png").write_text("x")
    with pytest.raises(InputError, match=r"maps: found files; expected an empty data folder"):
        restore(settings, backup)
    assert (tmp_path / "files" / "maps" / "old.png").exists()


def changed(backup: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Write a backup anew with its members changed, the manifest's sums not."""
    with tarfile.open(backup) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar.getmembers()}
    change(members)
    with tarfile.open(target, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target


def manifest_with(**values: object) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = json.dumps(json.loads(members["manifest.json"]) | values).encode()

    return change


def flip(members: dict[str, bytes]) -> None:
    content = bytearray(members["tables/warning.jsonl.gz"])
    content[len(content) // 2] ^= 1
    members["tables/warning.jsonl.gz"] = bytes(content)


def escape(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        manifest["members"][name] = next(iter(manifest["members"].values()))
        members[name] = members[next(iter(manifest["members"]))]
        members["manifest.json"] = json.dumps(manifest).encode()

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (flip, r"tables/warning\.jsonl\.gz: found SHA-256.*damaged"),
        (lambda m: m.pop("tables/warning.jsonl.gz"), r"tables/warning\.jsonl\.gz: found not as in the manifest"),
        (lambda m: m.update({"files/maps/more.png": b"x"}), r"files/maps/more\.png: found not as in the manifest"),
        (lambda m: m.pop("manifest.json"), r"no manifest\.json"),
        (lambda m: m.update({"manifest.json": b"{"}), r"manifest\.json"),
        (manifest_with(schema="9999"), r"schema 9999.*a newer Hazecast made it"),
        (manifest_with(format=2), r"format 2"),
        (escape("files/maps/../../../evil"), r"evil: found not as in the manifest"),
        (escape("/files/evil"), r"evil: found not as in the manifest"),
        (escape("elsewhere/evil"), r"evil: found not as in the manifest"),
    ],
)
def test_a_damaged_or_strange_backup_is_refused_and_nothing_is_restored(backup, tmp_path, change, message) -> None:
    broken = changed(backup, tmp_path / "broken.tar", change)
    settings = Settings(data_dir=tmp_path / "data")
    with pytest.raises(InputError, match=message):
        restore(settings, broken)
    assert nothing_in(settings) and not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "damage", [lambda b: b[: len(b) // 2], lambda b: b[:600], lambda _: b"", lambda b: b"x" * len(b)]
)
def test_a_truncated_backup_is_refused(backup, tmp_path, damage) -> None:
    (tmp_path / "broken.tar").write_bytes(damage(backup.read_bytes()))
    with pytest.raises(InputError, match=r"broken\.tar"):
        restore(Settings(data_dir=tmp_path / "data"), tmp_path / "broken.tar")
    assert nothing_in(Settings(data_dir=tmp_path / "data"))


def nothing_in(settings: Settings) -> bool:
    store = Store(settings.database_url)
    rows = 0
    if current_revision(store.engine) is not None:
        with store.sessions() as session:
            rows = session.scalar(select(func.count()).select_from(CycleRun))
    store.close()
    left = [p.name for p in settings.data_dir.iterdir() if not p.name.startswith("hazecast.db")]
    return rows == 0 and left == []


@pytest.mark.parametrize("where", ["load_table", "set_counters"])
def test_a_restore_that_fails_or_is_killed_can_be_made_again(backup, databases, tmp_path, monkeypatch, where) -> None:
    settings = databases.settings(tmp_path / "data")

    def fail(*_: object) -> None:
        # What a kill leaves: the files unpacked and partly in place, nothing in the database.
        shutil.copytree(tmp_path / "data" / ".restore", tmp_path / "as killed")
        raise OSError("power cut")

    monkeypatch.setattr(hazecast.services.store.backup, where, fail)
    with pytest.raises(StoreError, match="power cut"):
        restore(settings, backup)
    monkeypatch.undo()
    assert nothing_in(settings)
    shutil.copytree(tmp_path / "as killed", tmp_path / "data" / ".restore")
    shutil.copytree(tmp_path / "as killed" / "files" / "maps", tmp_path / "data" / "maps")
    assert restore(settings, backup).tables["forecast_run"] == 1
    store = Store(settings.database_url, files=settings.data_dir)
    assert Path(store.latest_run().map_path).exists()
    store.close()


def test_a_run_replaced_during_a_backup_begins_it_again_and_a_lost_file_is_told(
    source, tmp_path, monkeypatch, caplog
) -> None:
    copy = Databases().copy(source, tmp_path / "copy")
    store = Store(copy.database_url)
    with store.sessions.begin() as session:
        run = session.scalars(select(ForecastRun)).one()
        run.netcdf_path = str(copy.data_dir / "forecasts" / Path(run.netcdf_path).name)
        run.map_path = "/gone/map.png"
    manifest = back_up(copy, tmp_path / "lost.tar")
    assert manifest.missing == ["map.png"] and "1 files that the store names are gone" in caplog.text
    named = hazecast.services.store.backup._still_named
    calls = []

    def replaced(*arguments: object) -> bool:
        calls.append(1)
        return len(calls) > 1 and named(*arguments)

    monkeypatch.setattr(hazecast.services.store.backup, "_still_named", replaced)
    assert back_up(copy, tmp_path / "again.tar").missing == ["map.png"] and len(calls) == 2
    store.close()
