"""``hazecast study exhaust``: remote sensing of vehicles' exhaust."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from hazecast.services.cli.studies.options import Output, Table, option_groups
from hazecast.services.cli.studies.output import Result, emit

app = typer.Typer()


@app.command()
@option_groups
def exhaust(
    table: Table,
    limit: Annotated[float, typer.Option("--limit", help="Of the gas, g per kg of fuel.")],
    noise: Annotated[float, typer.Option("--noise", help="Standard deviation of one reading of a vehicle, g per kg.")],
    gas: Annotated[Literal["co", "hc", "no"], typer.Option("--gas", help="Screened for.")] = "no",
    fuel: Annotated[
        Literal["petrol", "diesel"], typer.Option("--fuel", help="Of all vehicles in the file.")
    ] = "diesel",
    lowest: Annotated[float, typer.Option("--lowest-power", help="Of the window, kW per tonne.")] = 0.0,
    highest: Annotated[float, typer.Option("--highest-power", help="Of the window, kW per tonne.")] = 20.0,
    exceedances: Annotated[int, typer.Option("--exceedances", min=1, help="Readings above the limit.")] = 2,
    *,
    output: Output,
) -> None:
    """High emitters by remote sensing (columns vehicle, co, hc, no over CO2, speed, acceleration, grade)."""
    from hazecast.forecast.studies.emissions.exhaust import per_fuel, screen, specific_power
    from hazecast.forecast.studies.emissions.plots import screened_fleet
    from hazecast.grids.observations.sample_tables import read_labelled

    data = read_labelled(table, ["vehicle"], ["co", "hc", "no", "speed", "acceleration", "grade"])
    readings = per_fuel(data, fuel).assign(vehicle=data["vehicle"], power=specific_power(data))
    screened = readings[["vehicle", "power"]].assign(emission=readings[gas])
    found = screen(screened, limit=limit, noise=noise, exceedances=exceedances, window=(lowest, highest))
    summary = {key: value for key, value in vars(found).items() if key != "vehicles"}
    summary["high"] = [str(name) for name in found.vehicles.index[found.vehicles["high"]]]
    summary["certain"] = [str(name) for name in found.vehicles.index[found.vehicles["certain"]]]
    tables = {"vehicles": found.vehicles, "emissions": readings}
    figures = {"fleet": screened_fleet(found, limit, gas.upper())}
    emit(Result(summary, tables, figures), output, ("vehicles",))
