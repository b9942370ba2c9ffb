"""How many studies there may be as jobs, and what is said where there are as many."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, func, select

from hazecast.services.store.tables.studies import DONE, OPEN, StudyFile, StudyJob

# How long a job takes is guessed from so many of the newest; of the first one nothing is known.
_RECENT, _USUAL_SECONDS, _LEAST_SECONDS = 20, 60.0, 5.0
# When to try again where results must go first, s.
_RESULTS_SECONDS = 3_600


class TooManyJobsError(RuntimeError):
    """More jobs wait than the service takes, of all or of one account; `seconds` is when to try again."""

    def __init__(self, reason: str, seconds: int) -> None:
        super().__init__(reason)
        self.seconds = seconds


@dataclass(frozen=True)
class Places:
    """How many jobs there may be: open ones of all and of one account, and kept results of one account; how many run at once."""

    open: int
    of_account: int
    kept: int
    at_once: int


def check_places(connection: Connection, account_id: str, places: Places) -> None:
    """Check that an account may ask for one more job.

    Parameters
    ----------
    connection : Connection
        In the transaction that would add it.
    account_id : str
    places : Places

    Raises
    ------
    TooManyJobsError
        If not.
    """
    own = StudyJob.account_id == account_id
    counted = select(func.count()).select_from(StudyJob)
    everyone = connection.execute(counted.where(StudyJob.state.in_(OPEN))).scalar_one()
    of_account = connection.execute(counted.where(StudyJob.state.in_(OPEN), own)).scalar_one()
    seconds = int(max(_LEAST_SECONDS, _usual_seconds(connection) / places.at_once))
    if of_account >= places.of_account:
        raise TooManyJobsError(f"{of_account} jobs of the account wait or run, as many as it may have", seconds)
    if everyone >= places.open:
        raise TooManyJobsError(f"{everyone} jobs wait or run, as many as the service takes", seconds)
    kept = connection.execute(counted.where(own, exists().where(StudyFile.job_id == StudyJob.id))).scalar_one()
    if kept >= places.kept:
        raise TooManyJobsError(
            f"results of {kept} jobs of the account are kept, as many as it may have: delete some", _RESULTS_SECONDS
        )


def _usual_seconds(connection: Connection) -> float:
    query = select(StudyJob.started_at, StudyJob.finished_at).where(
        StudyJob.state == DONE, StudyJob.started_at.is_not(None)
    )
    rows = connection.execute(query.order_by(StudyJob.created_at.desc()).limit(_RECENT)).all()
    taken = [(row.finished_at - row.started_at).total_seconds() for row in rows]
    return sum(taken) / len(taken) if taken else _USUAL_SECONDS
