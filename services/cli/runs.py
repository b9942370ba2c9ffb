"""``hazecast runs``: the stored runs, and withdrawing one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from hazecast.services.cli.options import AsJson, By, DataDir, Why, current_time, open_store, settings_of, user_of
from hazecast.services.cli.output import print_json, stamp

if TYPE_CHECKING:
    from hazecast.services.store.tables.forecasts import ForecastRun

app = typer.Typer(help="Stored runs: list them, withdraw one.", no_args_is_help=True)


@app.command(name="list")
def list_runs(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many runs.")] = 20,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the newest runs with their ids, also withdrawn ones and those stamped in the future."""
    from hazecast.services.store.withdrawal import all_runs

    now = current_time()
    with open_store(settings_of(data_dir)) as store:
        found = all_runs(store, limit)
    if as_json:
        print_json([_as_json(run) for run in found])
        return
    for run in found:
        states = {
            "simulated": run.simulated,
            "degraded": run.degraded,
            "IN THE FUTURE": run.init_time > now,
            f"withdrawn by {run.withdrawn_by}: {run.withdrawn_why}": run.withdrawn_at is not None,
        }
        words = ", ".join(word for word, holds in states.items() if holds)
        print(f"{run.id:>6}  {stamp(run.init_time)}  {run.model_id}  {words}".rstrip())


def _as_json(run: ForecastRun) -> dict[str, object]:
    return {
        "id": run.id, "simulated": run.simulated, "degraded": run.degraded, "model_id": run.model_id,
        "withdrawn_by": run.withdrawn_by, "withdrawn_why": run.withdrawn_why,
        "init_time": run.init_time, "created_at": run.created_at, "withdrawn_at": run.withdrawn_at,
    }  # fmt: skip


@app.command()
def withdraw(
    run: Annotated[int, typer.Argument(help="Id of a run, as `hazecast runs list` prints it.")],
    why: Why,
    by: By = None,
    data_dir: DataDir = None,
) -> None:
    """Withdraw a run: it is no longer the latest forecast, and its warnings are cancelled."""
    from hazecast.services.store.withdrawal import withdraw_run

    with open_store(settings_of(data_dir)) as store:
        done = withdraw_run(store, run, by=user_of(by), why=why)
    print(
        f"run {run} of {stamp(done.init_time)} is withdrawn; {done.warnings} warnings cancelled, "
        f"{done.drafts} drafts rejected"
    )
