"""``hazecast study exhaust``: remote sensing of vehicles' exhaust."""

from __future__ import annotations

from typing import Annotated, Literal

from hazecast.services.research.studies.asking import OneTable, Option, study
from hazecast.services.research.studies.result import Result

_UNITS = {"co": "1", "hc": "1", "no": "1", "speed": "km h-1", "acceleration": "km h-1 s-1", "grade": "1"}


@study
def exhaust(
    table: OneTable,
    limit: Annotated[float, Option("Of the gas, g per kg of fuel.")],
    noise: Annotated[float, Option("Standard deviation of one reading of a vehicle, g per kg.")],
    gas: Annotated[Literal["co", "hc", "no"], Option("Screened for.")] = "no",
    fuel: Annotated[Literal["petrol", "diesel"], Option("Of all vehicles in the file.")] = "diesel",
    lowest_power: Annotated[float, Option("Of the window, kW per tonne.")] = 0.0,
    highest_power: Annotated[float, Option("Of the window, kW per tonne.")] = 20.0,
    exceedances: Annotated[int, Option("Readings above the limit.", least=1)] = 2,
) -> Result:
    """High emitters by remote sensing (columns vehicle, co, hc, no over CO2, speed, acceleration, grade)."""
    from hazecast.forecast.studies.emissions.exhaust import per_fuel, screen, specific_power
    from hazecast.forecast.studies.emissions.plots import screened_fleet
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["vehicle"], list(_UNITS), units=_UNITS)
    readings = per_fuel(data, fuel).assign(vehicle=data["vehicle"], power=specific_power(data))
    screened = readings[["vehicle", "power"]].assign(emission=readings[gas])
    found = screen(screened, limit=limit, noise=noise, exceedances=exceedances, window=(lowest_power, highest_power))
    summary = {key: value for key, value in vars(found).items() if key != "vehicles"}
    # Perhaps a file that was put together twice; two passes may round to the same, so they are counted alone.
    summary["rows_that_repeat_another"] = int(data.duplicated().sum())
    summary["high"] = [str(name) for name in found.vehicles.index[found.vehicles["high"]]]
    summary["certain"] = [str(name) for name in found.vehicles.index[found.vehicles["certain"]]]
    tables = {"vehicles": found.vehicles, "emissions": readings}
    figures = {"fleet": screened_fleet(found, limit, gas.upper())}
    return Result(summary, tables, figures, printed=("vehicles",))
