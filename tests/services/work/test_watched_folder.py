"""The watched folder: what lies whole in it is taken once and moved, with a report."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from hazecast.grids.errors import InputError
from hazecast.grids.observations.tables.examine import examine
from hazecast.grids.places.cities import load_registry
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.jobs import all_jobs
from hazecast.services.scheduling.tasks import watch
from hazecast.services.store.station_hours import stored_hours
from hazecast.services.store.store import Store
from hazecast.services.work.ingest.watched import take_delivered
from tests.support.monitor_publishers import BEIJING, HOUR, LAST, NOW
from tests.support.settings import make_settings

GOOD = "".join(f"a,{(LAST - n * HOUR).isoformat()},{40 + n}\n" for n in range(6))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "stations.csv").write_text("code,city\na,beijing\n")
    return make_settings(data_dir=tmp_path / "data", watch_dir=folder)


def deliver(settings: Settings, name: str, rows: str, *, age: float = 300.0) -> Path:
    path = settings.ingest.watch_dir / name
    path.write_text("station,time,pm25\n" + rows)
    at = NOW.timestamp() - age
    os.utime(path, (at, at))
    return path


def take(settings: Settings, at=NOW) -> dict[str, str]:
    return {table.name: table.outcome for table in take_delivered(settings, lambda: at)}


def report(settings: Settings, folder: str, name: str) -> dict:
    return json.loads((settings.ingest.watch_dir / folder / f"{name}.report.json").read_text())


def test_what_is_whole_is_taken_once_and_moved(settings) -> None:
    deliver(settings, "a.csv", GOOD)
    unfinished = [
        deliver(settings, "b.csv", GOOD, age=5.0),
        deliver(settings, ".c.csv", GOOD),
        deliver(settings, "d.csv.part", GOOD),
    ]
    assert take(settings) == {"a.csv": "done"}
    assert report(settings, "done", "a.csv")["new"] == 6 and (settings.ingest.watch_dir / "done/a.csv").exists()
    assert all(path.exists() for path in unfinished) and take(settings) == {}
    store = Store(settings.database_url)
    assert len(stored_hours(store, "csv", LAST - 10 * HOUR, LAST)) == 6
    store.close()
    # The one that was being written is taken later; delivered again, the first is told by the time.
    deliver(settings, "a.csv", GOOD)
    assert take(settings, NOW + timedelta(minutes=5)) == {"a.csv": "done", "b.csv": "done"}
    names = sorted(path.name for path in (settings.ingest.watch_dir / "done").iterdir())
    assert len(names) == 6 and sum(name.endswith("-a.csv") for name in names) == 1
    assert report(settings, "done", "b.csv")["unchanged"] == 6


def test_bad_tables_fail_by_name_and_bad_rows_cost_themselves(settings) -> None:
    deliver(settings, "bad.csv", "a,when,5\n")
    (settings.ingest.watch_dir / "damaged.csv.gz").write_bytes(b"\x1f\x8b\x08damaged")
    os.utime(settings.ingest.watch_dir / "damaged.csv.gz", (0, 0))
    deliver(
        settings, "half.csv", GOOD + f"a,{(LAST - 9 * HOUR).isoformat()},<5\na,{(NOW + 5 * HOUR):%Y-%m-%dT%H:00Z},5\n"
    )
    result = watch(settings, NOW, lambda: NOW)
    assert result.status == "degraded"
    assert "half.csv: done" in result.detail and "damaged.csv.gz: failed" in result.detail
    assert "line 2, time: found when" in report(settings, "failed", "bad.csv")["problems"][0]
    assert "damaged" in report(settings, "failed", "damaged.csv.gz")["problems"][0]
    told = report(settings, "done", "half.csv")
    assert told["new"] == 6 and told["counts"]["cells_not_numbers"] == 1 and told["counts"]["future_values"] == 1
    assert watch(settings, NOW, lambda: NOW).status == "done"


def test_without_stations_nothing_is_moved(settings) -> None:
    path = deliver(settings, "a.csv", GOOD)
    (settings.ingest.watch_dir / "stations.csv").unlink()
    with pytest.raises(InputError, match=r"stations\.csv"):
        take(settings)
    assert path.exists()


def test_an_hour_that_a_later_table_has_in_part_is_kept(settings) -> None:
    """Tables of a day in steps of 10 minutes: the hour that ends at midnight has its last step in the next one."""
    steps = [LAST - timedelta(minutes=minutes) for minutes in (50, 40, 30, 20, 10, 0)]
    mapping = '[time]\nstep_minutes = 10\nzone = "stamp"\n[columns]\nstation = "station"\ntime = "time"\npm25 = { is = "pm25", unit = "ug/m3" }\n'
    (settings.ingest.watch_dir / "mapping.toml").write_text(mapping)
    deliver(settings, "0.csv", "".join(f"a,{step.isoformat()},40\n" for step in steps[:5]))
    assert take(settings) == {"0.csv": "done"} and report(settings, "done", "0.csv")["new"] == 1
    deliver(settings, "1.csv", f"a,{steps[5].isoformat()},100\n")
    assert take(settings) == {"1.csv": "failed"}
    told = report(settings, "failed", "1.csv")
    assert (told["revised"], told["counts"]["hours_incomplete"]) == (0, 1) and "1 of 6 steps" in told["problems"][0]


def test_the_job_is_there_with_the_setting(settings, tmp_path) -> None:
    assert "watch" in {job.name for job in all_jobs(settings)}
    assert "watch" not in {job.name for job in all_jobs(make_settings(data_dir=tmp_path))}


STAMPS = [(LAST - n * HOUR).astimezone(BEIJING) for n in range(3)]
PLAIN = "站点,时间,PM2.5\n" + "".join(f"a,{t:%Y-%m-%d %H:%M},{40 + n}\n" for n, t in enumerate(STAMPS))
# Name of the file, contents, values that are stored, missing ones too: none where the table is refused.
KINDS: dict[str, tuple[str, str | bytes, int]] = {
    "two rows of names": ("a.csv", PLAIN.replace("PM2.5\n", "PM2.5\n,,μg/m³\n", 1), 3),
    "markup called a workbook": (
        "a.xls",
        "<table>" + "".join("<tr><td>" + line.replace(",", "</td><td>") + "</td></tr>" for line in PLAIN.splitlines()) + "</table>",
        3,
    ),
    "blanks": ("a.txt", PLAIN.replace(",", "  ").replace("时间", "日期 时间"), 3),
    "years of Reiwa": ("a.csv", PLAIN.replace("2026-01-14 ", "令和8年1月14日 "), 3),
    "below the limit of detection": ("a.csv", PLAIN.replace(",41", ",<3"), 2),
    "marks": ("a.csv", PLAIN.replace(",41", ",#").replace(",42", ",ND"), 3),
    "UTF-16": ("a.csv", PLAIN.encode("utf-16"), 3),
    "JSON": ("a.json", json.dumps([dict(zip(("站点", "时间", "PM2.5"), line.split(","), strict=True)) for line in PLAIN.splitlines()[1:]]), 3),
    "twice with other values": ("a.csv", PLAIN + PLAIN.splitlines()[1].replace(",40", ",90") + "\n", 2),
    "means of a day": ("a.csv", PLAIN.replace("PM2.5", "PM2.5日均值"), 0),
    "no unit of a gas": ("a.csv", PLAIN.replace("PM2.5", "CO"), 0),
    "a page for logging in": ("a.csv", "<html><body>Login</body></html>", 0),
    "a table cut off": ("a.xlsx", b"PK\x03\x04" + b"\0" * 40, 0),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_delivered_table_is_taken_as_the_check_says(settings, kind) -> None:
    name, content, number = KINDS[kind]
    path = settings.ingest.watch_dir / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (0, 0))
    try:
        expected = [str(fault) for fault in examine(path, load_registry()).findings.faults]
    except InputError as error:
        expected = [str(error)]
    assert take(settings) == {name: "done" if number else "failed"}
    told = report(settings, "done" if number else "failed", name)
    assert told["new"] == number and [fault.replace(f"{path.parent}/", "") for fault in expected] == [
        problem.replace(f"{path.parent}/", "") for problem in told["problems"][: len(expected)]
    ]
