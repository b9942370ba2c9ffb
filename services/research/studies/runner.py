"""Runs studies that take minutes, beside a process that answers requests: each in a subprocess, as many at a time as the settings say.

A runner has a slot, and the slot a lock of the store: of all processes of a service one holds it. Whoever takes it knows that
what is said to run there was left by a process that is gone.
"""

from __future__ import annotations

import logging
import threading

from hazecast.services.core.clock import Clock
from hazecast.services.core.errors import StoreError
from hazecast.services.core.settings import Settings
from hazecast.services.core.subprocesses import CrashError, HungError, call_elsewhere
from hazecast.services.research.studies.job import run_job
from hazecast.services.store.locks import StoreLock, store_lock
from hazecast.services.store.store import Store
from hazecast.services.store.study_jobs import Job
from hazecast.services.store.study_runs import STOPPED, claim, fail, give_up, running_slots

log = logging.getLogger(__name__)

# How soon a job begins that another process was asked for, and how soon a slot is taken whose process is gone.
_LOOK_SECONDS = 1.0
_SLOT_SECONDS = 5.0
_CLOSING_SECONDS = 5.0


class StudyRunner:
    """The runners of a process.

    Parameters
    ----------
    store : Store
    settings : Settings
    clock : callable
        Gives the time, aware.
    """

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._stopping, self._asked = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []
        self._running: set[str] = set()

    def start(self) -> None:
        """Run jobs from now on, in threads."""
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._serve, args=(slot,), name=f"study-{slot}", daemon=True)
            for slot in range(self._settings.limits.study_jobs)
        ]
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Look for a job now."""
        self._asked.set()

    def stop(self) -> None:
        """Take no more jobs; those that run are noted as failed, which their subprocesses see and end."""
        self._stopping.set()
        self._asked.set()
        for job_id in tuple(self._running):
            try:
                fail(self._store, job_id, self._clock(), STOPPED)
            except StoreError:
                # Whoever takes its slot next notes it; the service ends its processes itself.
                log.exception("%s: that it ends could not be noted", job_id)

    def join(self) -> None:
        """Wait for the threads, some seconds at most."""
        for thread in self._threads:
            thread.join(_CLOSING_SECONDS)

    def _serve(self, slot: int) -> None:
        try:
            lock = store_lock(self._store.url, _lock_name(slot))
        except ValueError as error:
            log.warning("no studies are run as jobs: %s", error)
            return
        while not self._stopping.is_set():
            try:
                if lock.acquire():
                    self._run_all(slot, lock)
            except StoreError:
                log.exception("no study can be run as a job now")
            finally:
                lock.release()
            self._stopping.wait(_SLOT_SECONDS)

    def _run_all(self, slot: int, lock: StoreLock) -> None:
        self._give_up(slot)
        while not self._stopping.is_set() and lock.still_held():
            job = claim(self._store, slot, self._clock())
            if job is not None:
                self._run(job)
                continue
            self._asked.wait(_LOOK_SECONDS)
            self._asked.clear()

    def _give_up(self, own: int) -> None:
        """Note as failed what was left running here, or in a slot that nobody holds, as there were more of them before."""
        for slot in {own, *running_slots(self._store)}:
            lock = None if slot == own else store_lock(self._store.url, _lock_name(slot))
            if lock is not None and not lock.acquire():
                continue
            try:
                left = give_up(self._store, slot, self._clock())
            finally:
                if lock is not None:
                    lock.release()
            if left:
                log.warning("%d studies had been interrupted: the service was stopped", left)

    def _run(self, job: Job) -> None:
        log.info("%s: study %s of %s begins", job.id, job.study, job.account_id)
        seconds, error = self._settings.limits.study_job_seconds, "it ended without a result"
        self._running.add(job.id)
        try:
            call_elsewhere(run_job, self._settings, job.id, job.study, job.simulated, seconds=seconds, alone=True)
        except HungError:
            error = f"it took more than {seconds:g} s, the longest that a study may"
        except CrashError as crash:
            error = STOPPED if self._stopping.is_set() else f"its process died (exit code {crash.code})"
        except Exception:
            log.exception("%s: study %s failed", job.id, job.study)
            error = "the service failed; its log says why"
        finally:
            self._running.discard(job.id)
        # Nothing is changed where it was done, had failed or was cancelled.
        if fail(self._store, job.id, self._clock(), error):
            log.warning("%s: study %s failed: %s", job.id, job.study, error)
        else:
            log.info("%s: study %s has ended", job.id, job.study)


def _lock_name(slot: int) -> str:
    return f"study-{slot}"
