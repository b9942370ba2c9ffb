"""How fast the page is on a slow phone: ``python -m tests.tools.page_speed`` or ``make page-speed``.

In the manner of Lighthouse's mobile test: a narrow screen, a link of 1.6 Mbit/s with 150 ms to and fro ("slow 4G") and
a processor slowed down four times, over a server that keeps its answers warm.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from tests.support.browser import browsing, loaded, sample_site, serving

# Of all that comes before the map is about to be seen.
BUDGET_BYTES = 120_000
# The map's library, scripts and values.
OF_THE_MAP = ("/vendor/leaflet/", "/map.js", "/field.js", "/stations.js", ".json")
# Lighthouse's "slow 4G": bytes a second and milliseconds.
_DOWN, _UP, _DELAY, _SLOWER = 1_638_400 / 8, 675_000 / 8, 150, 4
_WATCH = """
window.seen = {shift: 0, blocked: 0, largest: 0, first: 0};
new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) seen.shift += e.value; })
  .observe({type: 'layout-shift', buffered: true});
new PerformanceObserver(list => { for (const e of list.getEntries()) seen.largest = e.startTime; })
  .observe({type: 'largest-contentful-paint', buffered: true});
new PerformanceObserver(list => { for (const e of list.getEntries()) if (e.name === 'first-contentful-paint') seen.first = e.startTime; })
  .observe({type: 'paint', buffered: true});
new PerformanceObserver(list => { for (const e of list.getEntries()) seen.blocked += Math.max(0, e.duration - 50); })
  .observe({type: 'longtask', buffered: true});
"""
_BLOCKING = """[performance.getEntriesByType('navigation')[0].transferSize,
  performance.getEntriesByType('resource').filter(one => one.renderBlockingStatus === 'blocking').map(one => one.name)]"""


@dataclass(frozen=True)
class Speed:
    """Milliseconds from the start of the navigation, bytes on the wire, and the share of the page that jumped.

    `map_shown` is from when the reader comes to the map, below the first screen of a phone, until its values are there;
    `waited_for` are the files that the first paint waits for, beside the HTML.
    """

    first_paint: float
    largest_paint: float
    map_shown: float
    blocked: float
    shift: float
    bytes_before_map: int
    bytes_in_all: int
    bytes_of_html: int
    waited_for: tuple[str, ...]

    @property
    def bound(self) -> float:
        """The least time to a complete first paint on this link: to and fro for each answer that it waits for, and their bytes."""
        return _DELAY * (1 + len(self.waited_for)) + 1000 * self.bytes_of_html / _DOWN


def measure(browser: Browser, address: str) -> Speed:
    """Load an address as a slow phone does."""
    context = browser.new_context(viewport={"width": 360, "height": 740}, device_scale_factor=2, locale="zh-CN")
    page = context.new_page()
    protocol = context.new_cdp_session(page)
    received: list[float] = []
    own: list[float] = []
    addresses: dict[str, str] = {}
    protocol.on(
        "Network.requestWillBeSent", lambda event: addresses.update({event["requestId"]: event["request"]["url"]})
    )

    def arrived(event: dict[str, Any]) -> None:
        received.append(event["encodedDataLength"])
        # On a quiet day the map begins at the foot of the first screen: what it brings is not of the page before it.
        if not any(part in addresses.get(event["requestId"], "") for part in OF_THE_MAP):
            own.append(event["encodedDataLength"])

    protocol.on("Network.loadingFinished", arrived)
    protocol.send("Network.enable")
    limits = {"offline": False, "latency": _DELAY, "downloadThroughput": _DOWN, "uploadThroughput": _UP}
    protocol.send("Network.emulateNetworkConditions", limits)
    protocol.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
    page.add_init_script(_WATCH)
    page.goto(address, wait_until="networkidle")
    before, asked = sum(own), float(page.evaluate("performance.now()"))
    # What is painted after the reader has moved on is not the first screen.
    first = page.evaluate("({...window.seen})")
    loaded(page)
    shown = float(page.evaluate("performance.now()")) - asked
    page.wait_for_load_state("networkidle")
    seen = page.evaluate("window.seen")
    html, waited_for = page.evaluate(_BLOCKING)
    context.close()
    return Speed(
        first_paint=first["first"],
        largest_paint=first["largest"],
        map_shown=shown,
        blocked=first["blocked"],
        shift=seen["shift"],
        bytes_before_map=int(before),
        bytes_in_all=int(sum(received)),
        bytes_of_html=int(html),
        waited_for=tuple(waited_for),
    )


def main() -> None:
    """Print the figures of two views, the best of three loads each."""
    with tempfile.TemporaryDirectory() as folder, serving(sample_site(Path(folder))) as site, browsing() as browser:
        for path in ("/", "/?city=shanghai&lang=zh"):
            found = min((measure(browser, site.address + path) for _ in range(4)), key=lambda one: one.largest_paint)
            print(
                f"{path}: first paint {found.first_paint:.0f} ms, largest paint {found.largest_paint:.0f} ms, map with "
                f"values {found.map_shown:.0f} ms, blocked {found.blocked:.0f} ms, layout shift {found.shift:.3f}; "
                f"{found.bytes_before_map / 1000:.0f} kB before the map is there, {found.bytes_in_all / 1000:.0f} in all; "
                f"the link alone takes {found.bound:.0f} ms to the first paint"
            )


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    main()
