"""CAMS files in the layout of the Atmosphere Data Store."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from hazecast.grids.composition import REFERENCE_DENSITY, read_cams
from hazecast.grids.errors import InputError
from hazecast.grids.places.cities import load_registry
from hazecast.grids.units import PPB_25C
from tests.support.composition_publishers import ozone_at, write_ads

RUN = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEIJING = load_registry().city("beijing")


def test_ozone_is_that_of_the_mixing_ratio_by_volume_at_the_reference_state() -> None:
    # A mass mixing ratio of one ppb by volume: 47.997 g of ozone in 28.9647 g mol-1 of air.
    found = REFERENCE_DENSITY * 47.997 / 28.9647
    assert found == pytest.approx(PPB_25C["o3"], rel=1e-4)


def test_ozone_is_interpolated_between_its_steps_and_gaps_stay(tmp_path) -> None:
    steps = np.array([0.0, 3.0, 6.0, 15.0, 18.0])
    made = read_cams([write_ads(tmp_path / "o3.nc", RUN, steps, "go3", level=137)], [BEIJING], "CAMS")
    expected = ozone_at(np.arange(19), BEIJING.latitude, BEIJING.longitude) * 1e9 * REFERENCE_DENSITY
    found = made["o3"].sel(city="beijing").values
    np.testing.assert_allclose(found[[0, 1, 2, 3, 6, 15, 17]], expected[[0, 1, 2, 3, 6, 15, 17]], rtol=1e-4)
    assert np.isnan(found[7:15]).all() and made.attrs["init_time"] == "2026-11-24T12:00:00Z"
    assert made.attrs["unexpectedly_absent"] == (
        "pm25: no values; o3: 8 of 19 values are missing; o3: 2 of 7 steps are missing between others"
    )


def test_files_that_do_not_fit_are_named(tmp_path, shared_data) -> None:
    hours = np.arange(4.0)
    good = write_ads(tmp_path / "good.nc", RUN, hours, "pm2p5")
    bad = {
        "units: found ug m": write_ads(tmp_path / "unit.nc", RUN, hours, "pm2p5", units="ug m-3"),
        "model_level: found 60": write_ads(tmp_path / "level.nc", RUN, hours, "go3", level=60),
        "forecast_reference_time": write_ads(tmp_path / "run.nc", RUN.replace(hour=0), hours, "go3", level=137),
        # A reanalysis in the store's layout: no forecast.
        "those of a forecast": shared_data / "published" / "netcdf" / "cams_eac4_ads_layout_surface.nc",
    }
    for message, path in bad.items():
        with pytest.raises(InputError, match=message):
            read_cams([good, path], [BEIJING], "CAMS")
    half = shutil.copy(good, tmp_path / "half.nc")
    half.write_bytes(good.read_bytes()[:2000])
    with pytest.raises(InputError, match="a whole NetCDF file"):
        read_cams([half], [BEIJING], "CAMS")
