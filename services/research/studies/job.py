"""A study run as a job, in a subprocess of its own: it reads what was asked from the store, and stores what it found there."""

from __future__ import annotations

import io
import json
import logging
import os
import threading
import zipfile
from types import TracebackType
from typing import Self

from hazecast.grids.errors import InputError, MissingExtraError
from hazecast.services.core.clock import utc_now
from hazecast.services.core.errors import StoreError
from hazecast.services.core.settings import Settings
from hazecast.services.research.studies.asking import progress
from hazecast.services.research.studies.result import plain
from hazecast.services.research.studies.served import Answered, FieldsRefusedError, answer, as_content, report_of
from hazecast.services.store.store import Store
from hazecast.services.store.study_runs import body_of_running, fail, finish, note_progress

log = logging.getLogger(__name__)

RESULT, TABLES = "result.json", "tables.zip"
REPORTS = {"html": "report.html", "pdf": "report.pdf"}
# How soon a job that was cancelled ends; its progress is told as often.
_LOOK_SECONDS = 2.0


def run_job(settings: Settings, job_id: str, study: str, simulated: bool) -> None:
    """Run a job, and store its results or why it failed; nothing happens if it no longer runs.

    Parameters
    ----------
    settings : Settings
    job_id, study : str
    simulated : bool
        Whether stored observations are those of simulated runs.
    """
    store = Store(settings.database_url, files=settings.data_dir)
    try:
        body = body_of_running(store, job_id)
        if body is None:
            return
        with _Watch(store, job_id) as watch:
            progress.set(watch.tell)
            files = _files(store, settings, job_id, study, body, simulated)
        if files:
            finish(store, job_id, files, utc_now())
    finally:
        store.close()


def _files(
    store: Store, settings: Settings, job_id: str, study: str, body: bytes, simulated: bool
) -> dict[str, bytes] | None:
    """Return the results; None where the job was noted as failed."""
    try:
        files = _made(answer(settings, study, body, simulated))
    except FieldsRefusedError as error:
        named = [{"field": field, "reason": reason} for field, reason in error.errors]
        fail(store, job_id, utc_now(), f"{named[0]['field']}: {named[0]['reason']}", named)
        return None
    except MissingExtraError as error:
        fail(store, job_id, utc_now(), str(error))
        return None
    except InputError as error:
        reason = f"found {error.found}; expected {error.expected}"
        fail(store, job_id, utc_now(), str(error), [{"field": error.where, "reason": reason}])
        return None
    size, most = sum(map(len, files.values())), settings.limits.study_result_mb * 2**20
    if size > most:
        fail(
            store,
            job_id,
            utc_now(),
            f"results of {size / 2**20:.0f} MB; the service keeps {most / 2**20:.0f} MB at most",
        )
        return None
    return files


def _made(answered: Answered) -> dict[str, bytes]:
    """Return all forms of an answer, by the names of their files; PDF where its extra is installed."""
    made = utc_now()
    files = {
        RESULT: as_content(answered),
        TABLES: _tables(answered),
        REPORTS["html"]: report_of(answered, "html", made),
    }
    try:
        files[REPORTS["pdf"]] = report_of(answered, "pdf", made)
    except MissingExtraError as error:
        log.warning("%s: no PDF: %s", answered.name, error)
    return files


def _tables(answered: Answered) -> bytes:
    """Return what the option ``--out`` of the command writes, as one ZIP file."""
    from hazecast.services.research.studies.pictures import drawn

    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, table in answered.result.tables.items():
            archive.writestr(f"{name}.csv", table.to_csv())
        for name, figure in answered.result.figures.items():
            archive.writestr(f"{name}.png", drawn(figure))
        archive.writestr("summary.json", json.dumps(plain(answered.result.summary), indent=2, ensure_ascii=False))
    return content.getvalue()


class _Watch:
    """Tells the store what a job is at, and ends this process once the job no longer runs: cancelled, or given up."""

    def __init__(self, store: Store, job_id: str) -> None:
        self._store, self._job_id = store, job_id
        self._text: str | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="study-watch", daemon=True)

    def tell(self, text: str) -> None:
        self._text = text

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Before the results are stored: a job that is done no longer runs either.
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            text, self._text = self._text, None
            try:
                wanted = note_progress(self._store, self._job_id, text and text.strip())
            except StoreError:
                log.warning("the store can't be reached; the study goes on", exc_info=True)
                continue
            if not wanted:
                # The study can't be interrupted otherwise.
                os._exit(0)
