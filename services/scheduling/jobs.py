"""All jobs of the service. A new one is a line here."""

from __future__ import annotations

from hazecast.grids.errors import InputError
from hazecast.services.core.rules import decision_hours
from hazecast.services.core.settings import Settings
from hazecast.services.scheduling.spec import BEIJING, Cron, Every, Job

_HOUR, _DAY = 3_600.0, 86_400.0


def all_jobs(settings: Settings) -> tuple[Job, ...]:
    """Return the jobs that the settings ask for."""
    wanted = [cycle_job(settings)]
    if settings.live:
        wanted.append(ingest_job(settings))
        if settings.ingest.backfill_days:
            wanted.append(backfill_job(settings))
        if settings.ingest.composition_sources:
            wanted.append(composition_job(settings))
    if settings.ingest.watch_dir is not None:
        wanted.append(WATCH)
    wanted += [VERIFICATION, JANITOR]
    if settings.learning.retrain != "off":
        wanted.append(retrain_job(settings))
    return tuple(wanted)


def job_named(name: str, settings: Settings) -> Job:
    """Return a job by its name.

    Parameters
    ----------
    name : str
    settings : Settings

    Returns
    -------
    Job

    Raises
    ------
    InputError
        If the settings ask for none of this name.
    """
    jobs = {job.name: job for job in all_jobs(settings)}
    if name not in jobs:
        raise InputError("job", name, f"one of {', '.join(jobs)}")
    return jobs[name]


def cycle_job(settings: Settings) -> Job:
    """Return the forecast cycle, at the set hours of Beijing, and after those at which rule sets decide."""
    chosen = set(settings.schedule.schedule_hours)
    if settings.schedule.schedule_decisions:
        chosen |= set(decision_hours(settings, BEIJING))
    hours = ",".join(map(str, sorted(chosen)))
    return Job(
        "cycle",
        "hazecast.services.scheduling.tasks:cycle",
        Cron(str(settings.schedule.schedule_minute), hours, BEIJING),
        "One forecast cycle: forecast, warnings, map; with live sources, the newest input first.",
        limit_seconds=settings.schedule.cycle_limit_seconds,
        grace_seconds=settings.schedule.misfire_grace_seconds,
        rerun=True,
    )


def ingest_job(settings: Settings) -> Job:
    """Return the hourly ingest; a missed hour is made up by the next, which reads several back."""
    return Job(
        "ingest",
        "hazecast.services.scheduling.tasks:ingest",
        Cron(str(settings.schedule.ingest_minute)),
        "The newest weather cycle and the newest observations of all sources.",
        limit_seconds=0.75 * _HOUR,
        grace_seconds=0.5 * _HOUR,
    )


def backfill_job(settings: Settings) -> Job:
    """Return the hourly filling of holes, half an hour after the ingest: it asks for what that left."""
    return Job(
        "backfill",
        "hazecast.services.scheduling.tasks:backfill",
        Cron(str((settings.schedule.ingest_minute + 30) % 60)),
        "Fills holes in observations and weather that an outage left, a week's hours and four cycles a run.",
        limit_seconds=0.9 * _HOUR,
        grace_seconds=0.5 * _HOUR,
    )


def composition_job(settings: Settings) -> Job:
    """Return the hourly ingest of a chemistry model: a job of its own, since a data store may queue it for long."""
    return Job(
        "composition",
        "hazecast.services.scheduling.tasks:composition",
        Cron(str(settings.schedule.ingest_minute)),
        "The newest run of a chemistry model.",
        limit_seconds=3 * _HOUR,
        grace_seconds=0.5 * _HOUR,
    )


def retrain_job(settings: Settings) -> Job:
    """Return the training on the store, every so many days at 08:00 Beijing time, after a cycle."""
    return Job(
        "retrain",
        "hazecast.services.scheduling.tasks:retrain",
        Every(settings.learning.retrain_every_days * _DAY),
        "The network is trained on the store, compared with the model in service, and promoted where that is set.",
        limit_seconds=settings.learning.retrain_limit_seconds,
        grace_seconds=_DAY,
    )


WATCH = Job(
    "watch",
    "hazecast.services.scheduling.tasks:watch",
    Cron("*/5"),
    "Takes the tables that were delivered into the watched folder.",
    limit_seconds=0.5 * _HOUR,
    grace_seconds=0.25 * _HOUR,
)

VERIFICATION = Job(
    "verification",
    "hazecast.services.scheduling.tasks:verification",
    Cron("10", "*/6"),
    "Scores the forecasts that have come due, with observations that came late.",
    limit_seconds=_HOUR,
    grace_seconds=6 * _HOUR,
)

JANITOR = Job(
    "janitor",
    "hazecast.services.scheduling.tasks:janitor",
    Cron("20", "3", BEIJING),
    "Removes what the settings no longer keep: forecasts, observations, weather, runs of jobs.",
    limit_seconds=_HOUR,
    grace_seconds=_DAY,
)
