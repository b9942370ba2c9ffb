"""What the service keeps is its owner's alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hazecast.services.store.backup import back_up
from hazecast.services.store.store import Store
from tests.support.settings import make_settings


@pytest.fixture(autouse=True)
def open_umask():
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_a_new_store_and_its_backup_can_be_read_by_their_owner_alone(tmp_path) -> None:
    settings = make_settings(data_dir=tmp_path / "below" / "data")
    store = Store(settings.database_url, files=settings.data_dir)
    store.migrate()
    with store.writing() as connection:
        connection.exec_driver_sql("update alembic_version set version_num = version_num")
    assert mode(settings.data_dir) == "0o700"
    assert {mode(path) for path in settings.data_dir.glob("hazecast.db*") if path.suffix != ".lock"} == {"0o600"}
    store.close()
    back_up(settings, tmp_path / "backup.tar")
    assert mode(tmp_path / "backup.tar") == "0o600"


def test_what_is_there_keeps_its_mode(tmp_path) -> None:
    (tmp_path / "data").mkdir(mode=0o750)
    Store(f"sqlite:///{tmp_path}/data/h.db").close()
    assert mode(tmp_path / "data") == "0o750"
