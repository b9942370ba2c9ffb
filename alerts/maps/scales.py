"""Colour scales of the value maps, for every picture and page that shows the values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Scale:
    """Classes of a value map: ``colours[i]`` is for values from ``bounds[i]`` up to ``bounds[i + 1]``, the last open.

    `closed` says that a value on a bound belongs to the class below it, as in an air-quality index.
    """

    bounds: tuple[float, ...]
    colours: tuple[str, ...]
    closed: bool = False

    def classes(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.intp]:
        """Return the number of each value's class."""
        return np.asarray(np.clip(np.digitize(values, self.bounds[1:], right=self.closed), 0, len(self.colours) - 1))

    def colour(self, value: float) -> str:
        """Return the colour of one value."""
        return self.colours[int(self.classes(np.array(value)))]

    def labels(self) -> list[str]:
        """Return the classes in figures, lowest first."""
        pairs = list(zip(self.bounds, [*self.bounds[1:], None], strict=False))[: len(self.colours)]
        shift = 1 if self.closed else 0
        return [f"> {low:g}" if high is None else f"{low + (shift if low else 0):g}–{high:g}" for low, high in pairs]


# The sequential schemes YlOrBr and PuBuGn of ColorBrewer (Brewer and Harrower), which colour-blind readers can
# distinguish: their lightness falls from class to class. Bounds of PM2.5: the corners of China's AQI.
PM25 = Scale(
    (0, 35, 75, 115, 150, 250, 350, 500),
    ("#fff7bc", "#fee391", "#fec44f", "#fe9929", "#ec7014", "#cc4c02", "#8c2d04", "#4a1502"),
)
# Of ozone 160, 200, 300 and 400 are the corners of China's hourly index (HJ 633, 1-hour means), 100 and 160 the limits of classes
# 1 and 2 of GB 3095 for a day's highest 8-hour mean; the others divide what lies between: a choice.
O3 = Scale(
    (0, 60, 100, 160, 200, 240, 300, 400),
    ("#ece7f2", "#d0d1e6", "#a6bddb", "#67a9cf", "#3690c0", "#02818a", "#016450", "#012b22"),
)
# Colours of the six categories of HJ 633.
AQI = Scale(
    (0, 50, 100, 150, 200, 300), ("#00e400", "#ffff00", "#ff7e00", "#ff0000", "#99004c", "#7e0023"), closed=True
)
SCALES: dict[str, Scale] = {"pm25": PM25, "o3": O3, "aqi": AQI}
