"""Further cycles of a stored run, without a model: the same forecast hours later, its warnings continued."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

from hazecast.alerts.engine.warning import HazeWarning
from hazecast.grids.times import to_datetime, to_datetime64
from hazecast.services.store.observations import observed_hours
from hazecast.services.store.store import Store
from hazecast.services.work.stored_forecast import load_forecast, restore_values, write_netcdf


def repeat_cycle(store: Store, folder: Path, hours: int) -> datetime:
    """Store the newest run once more, as that of some hours later, with its warnings continued; return its init time.

    Parameters
    ----------
    store : Store
    folder : Path
        Data folder.
    hours : int

    Returns
    -------
    datetime
    """
    run = store.latest_run()
    assert run is not None
    last, later = run.init_time, timedelta(hours=hours)
    init = to_datetime64(last + later)
    until = np.datetime_as_string(init, unit="s") + "Z"
    forecast = load_forecast(run.netcdf_path).assign_coords(init_time=init).assign_attrs(observations_until=until)
    seen = observed_hours(store, last - timedelta(hours=71), last, run.simulated)
    seen = seen.assign_coords(time=seen["time"].values + np.timedelta64(hours, "h"))
    in_force = store.warnings_in_force(store.clock(), run.simulated)
    cycle = store.begin_cycle(to_datetime(init), run.simulated)
    file = folder / "forecasts" / f"again-cycle{cycle}.nc"
    write_netcdf(forecast, file)
    restore_values(file)
    store.save_run(
        forecast,
        seen,
        [
            _later(warning, later, cycle)
            for warning in in_force
            if warning.run_init_time == last and warning.kind != "lift"
        ],
        netcdf_path=file,
        map_path=folder / "maps" / f"again-cycle{cycle}.png",
        cycle_id=cycle,
    )
    store.finish_cycle(cycle, "done")
    return to_datetime(init)


def _later(warning: HazeWarning, later: timedelta, cycle: int) -> HazeWarning:
    moved = {
        name: getattr(warning, name) + later
        for name in ("issued", "onset", "expires", "run_init_time", "level_since")
        if getattr(warning, name) is not None
    }
    evidence = tuple(one.model_copy(update={"time": one.time + later}) for one in warning.evidence)
    fresh = f"{warning.id.partition('-again')[0]}-again{cycle}"
    continued = {"kind": "continue", "references": (*warning.references, warning.id)}
    return warning.model_copy(update=moved | continued | {"id": fresh, "evidence": evidence})
