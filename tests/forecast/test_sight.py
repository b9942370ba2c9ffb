"""A city's own learned visibility is used where there is one, the law elsewhere and where the day before is missing."""

from __future__ import annotations

import numpy as np

from hazecast.forecast.sight import Sight
from hazecast.forecast.site_visibility import inputs_of, sites
from hazecast.forecast.visibility import visibility

TIMES = np.datetime64("2013-01-12T00", "ns") + np.arange(48) * np.timedelta64(1, "h")


def test_a_site_is_used_for_its_city_alone() -> None:
    mass, moist = np.full((2, 48), 150.0), np.full(48, 70.0)
    mass[1, :30] = np.nan
    by_law = visibility(mass, moist)
    site = sites()["beijing"]
    learned = site.visibility(site.score(*inputs_of(mass, moist, TIMES, site.longitude)))
    found = Sight().visibility("beijing", mass, moist, TIMES)
    np.testing.assert_array_equal(found[0, 5:], learned[0, 5:])
    np.testing.assert_array_equal(found[1, 30:35], by_law[1, 30:35])
    np.testing.assert_array_equal(found[1, 35:], learned[1, 35:])
    assert np.isnan(found[1, :30]).all() and (found[0, 5:] != by_law[0, 5:]).all()
    np.testing.assert_array_equal(Sight().visibility("shanghai", mass, moist, TIMES), by_law)
    np.testing.assert_array_equal(Sight(sites={}).visibility("beijing", mass, moist, TIMES), by_law)
