"""The index and the standards that rate a day follow the country of the city."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from hazecast.forecast.day_index import day_index, europe_index, pm25_limit
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
        ("GB", 15.0, 100.0, 110.0, "WHO-2021", "guideline", ()),
        ("GB", 20.0, 110.0, 130.0, "WHO-2021", "it2", ("o3",)),
        ("GB", 80.0, 90.0, 100.0, "WHO-2021", "above_it1", ("pm25",)),
    ],
)
def test_a_day_is_rated_by_its_country_or_else_by_the_who(
    country, pm25, o3_8h, o3_1h, standard, found, primary
) -> None:
    rated = day_index(place(country), np.datetime64("2026-01-15"), pm25, o3_8h, o3_1h)
    assert rated.standard == standard and found in (rated.value, rated.id) and rated.primary == primary
    assert day_index(place(country), np.datetime64("2026-01-15"), np.nan, np.nan, np.nan) is None


# The upper ends of good to very poor, as ETC HE Report 2024/17 revised them.
EUROPE = {
    "pm25": (5, 15, 50, 90, 140), "pm10": (15, 45, 120, 195, 270), "no2": (10, 25, 60, 100, 150),
    "o3": (60, 100, 120, 160, 180), "so2": (20, 40, 125, 190, 275),
}  # fmt: skip
LEVELS = ("good", "fair", "moderate", "poor", "very_poor", "extremely_poor")


@pytest.mark.parametrize("item", EUROPE)
def test_an_hour_in_europe_is_rated_by_the_revised_bands(item) -> None:
    for n, end in enumerate(EUROPE[item]):
        assert europe_index({item: float(end)}).id == LEVELS[n]
        above = europe_index({item: end + 0.1})
        assert above.id == LEVELS[n + 1] and above.primary == (item,)
    assert europe_index({item: 0.0}).primary == () and europe_index({item: np.nan}) is None


def test_the_worst_pollutant_decides_in_europe() -> None:
    hour = europe_index({"pm25": 12.0, "pm10": 50.0, "no2": 61.0, "o3": 30.0, "so2": np.nan})
    assert (hour.standard, hour.id, hour.name_en, hour.colour, hour.primary) == (
        "EU-EEA-2025", "poor", "poor", "#FF5050", ("no2",),
    )  # fmt: skip
    # Two that tie are both named.
    assert europe_index({"pm25": 20.0, "o3": 110.0}).primary == ("o3", "pm25")


@pytest.mark.parametrize("country", ["FR", "DE", "NO", "CH", "TR"])
def test_a_day_in_europe_is_in_the_level_of_its_worst_hour(country) -> None:
    day = day_index(place(country), np.datetime64("2026-01-15"), 14.0, 90.0, 98.0, 55.0)
    assert (day.standard, day.id, day.value, day.primary) == ("EU-EEA-2025", "poor", None, ("pm25",))
    # The mean alone says nothing of its hours.
    assert day_index(place(country), np.datetime64("2026-01-15"), 14.0, 90.0, np.nan) is None


def test_a_city_s_setting_names_another_index_than_its_country_s() -> None:
    london = place("GB").model_copy(update={"rated_by": "europe"})
    assert day_index(london, np.datetime64("2026-01-15"), 14.0, 90.0, 98.0, 30.0).id == "moderate"
    paris = place("FR").model_copy(update={"rated_by": "who"})
    assert day_index(paris, np.datetime64("2026-01-15"), 14.0, 90.0, 98.0, 30.0).standard == "WHO-2021"


def test_limits_of_countries_without_a_standard_here_are_the_whos() -> None:
    begins = datetime(2026, 1, 15, tzinfo=UTC)
    assert (pm25_limit("FR", begins), ozone_limit("FR", begins)) == (15.0, 100.0)
    assert pm25_limit("US", begins) == 35.4 and ozone_limit("US", begins) == pytest.approx(137.4, abs=0.1)
    assert pm25_limit("KR", begins) == 35.0 and ozone_limit("KR", begins) == pytest.approx(176.6, abs=0.1)
