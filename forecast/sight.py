"""How far one sees in a city: by its own learned visibility where there is one, else by the law."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from hazecast.forecast.dependence import levels
from hazecast.forecast.site_visibility import SiteVisibility, inputs_of, sites
from hazecast.forecast.visibility import BEIJING, VisibilityModel, scatter, visibility

Float = npt.NDArray[np.float64]

# Hours before the first one that matters that a site's visibility goes by.
DAY_BEFORE = 24


@dataclass(frozen=True)
class Sight:
    """The visibilities that warnings are made with.

    Attributes
    ----------
    law : VisibilityModel
        For cities without a site.
    sites : mapping of str to SiteVisibility
        By city.
    spread : bool
        Whether scenarios have a visibility and a humidity of their own. Without it both follow from what is given, as befits
        values that were observed or are taken as certain.
    """

    law: VisibilityModel = BEIJING
    sites: Mapping[str, SiteVisibility] = field(default_factory=sites)
    spread: bool = True

    def visibility(self, city: str, pm25: Float, humidity: Float, times: npt.NDArray[np.datetime64]) -> Float:
        """Return the visibility to be compared with a threshold.

        Parameters
        ----------
        city : str
        pm25, humidity : float64 (..., time)
            ug m-3, %; for a site the day before the first hour that matters should be there.
        times : datetime64 (time,)
            End of each hour, UTC, without gaps.

        Returns
        -------
        float64 (..., time)
            m; NaN where an input is missing.
        """
        by_law = visibility(pm25, humidity, self.law)
        if city not in self.sites:
            return by_law
        site = self.sites[city]
        own = site.visibility(site.score(*inputs_of(pm25, humidity, times, site.longitude)))
        # Where the day before is missing, the law still knows the hour.
        return np.asarray(np.where(np.isnan(own), by_law, own), dtype=np.float64)

    def trajectories(self, city: str, pm25: Float, humidity: Float, times: npt.NDArray[np.datetime64]) -> Float:
        """Return the scenarios of the visibility that would be observed.

        Parameters
        ----------
        city : str
        pm25, humidity : float64 (scenario, time)
            ug m-3, %; `DAY_BEFORE` hours before the forecast, then the forecast's.
        times : datetime64 (time,)
            End of each hour, UTC, without gaps.

        Returns
        -------
        float64 (scenario, lead_time)
            m, without the hours before the forecast; NaN where an input is missing.
        """
        ahead = slice(DAY_BEFORE, None)
        if not self.spread:
            return self.visibility(city, pm25, humidity, times)[:, ahead]
        hours = len(times) - DAY_BEFORE
        by_law = visibility(pm25[:, ahead], humidity[:, ahead], self.law) * _scatter(self.law, hours)
        if city not in self.sites:
            return by_law
        site = self.sites[city]
        score = site.score(*inputs_of(pm25, humidity, times, site.longitude))
        own = site.visibility_at(score[:, ahead], levels("visibility", hours))
        return np.asarray(np.where(np.isnan(own), by_law, own), dtype=np.float64)


@lru_cache(maxsize=8)
def _scatter(law: VisibilityModel, hours: int) -> Float:
    """Return the factors about the law that scenarios have, (scenario, lead_time)."""
    return scatter(levels("visibility", hours), law)


CERTAIN = Sight(spread=False)
