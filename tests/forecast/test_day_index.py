"""The index and the standards that rate a day follow the country of the city."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from hazecast.forecast.daily import day_index, pm25_limit
from hazecast.forecast.exceedance import ozone_limit
from hazecast.grids.places.cities import City, load_registry


def place(country: str) -> City:
    return load_registry().city("beijing").model_copy(update={"country": country})


@pytest.mark.parametrize(
    ("country", "pm25", "o3_8h", "o3_1h", "standard", "found", "primary"),
    [
        ("US", 40.0, 60.0, 80.0, "US-EPA-2024", 112, ("pm25",)),
        ("US", 5.0, 160.0, 180.0, "US-EPA-2024", "usg", ("o3",)),
        ("KR", 15.0, 50.0, 58.0, "KR-AirKorea", "good", ()),
        ("KR", 36.0, 50.0, 58.0, "KR-AirKorea", "bad", ("pm25",)),
        ("KR", 10.0, 170.0, 178.0, "KR-AirKorea", "bad", ("o3",)),
        ("FR", 15.0, 100.0, 110.0, "WHO-2021", "guideline", ()),
        ("FR", 20.0, 110.0, 130.0, "WHO-2021", "it2", ("o3",)),
        ("FR", 80.0, 90.0, 100.0, "WHO-2021", "above_it1", ("pm25",)),
    ],
)
def test_a_day_is_rated_by_its_country_or_else_by_the_who(
    country, pm25, o3_8h, o3_1h, standard, found, primary
) -> None:
    rated = day_index(place(country), np.datetime64("2026-01-15"), pm25, o3_8h, o3_1h)
    assert rated.standard == standard and found in (rated.value, rated.id) and rated.primary == primary
    assert day_index(place(country), np.datetime64("2026-01-15"), np.nan, np.nan, np.nan) is None


def test_limits_of_countries_without_a_standard_here_are_the_whos() -> None:
    begins = datetime(2026, 1, 15, tzinfo=UTC)
    assert (pm25_limit("FR", begins), ozone_limit("FR", begins)) == (15.0, 100.0)
    assert pm25_limit("US", begins) == 35.4 and ozone_limit("US", begins) == pytest.approx(137.4, abs=0.1)
    assert pm25_limit("KR", begins) == 35.0 and ozone_limit("KR", begins) == pytest.approx(176.6, abs=0.1)
