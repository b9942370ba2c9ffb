"""A real browser and a real server for the tests of the page, its pictures and its measured speed."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from hazecast.services.core.settings import Settings
from hazecast.services.web.app import create_app
from hazecast.services.work.cycle import run_cycle
from tests.support.settings import make_settings

# What the simulated sample starts from; the page's clock stands twenty minutes later.
SAMPLE_TIME = datetime.fromisoformat("2026-01-15T10:00Z")
# Beijing, 12 January 2013, in the afternoon: the hours of the highest values of that month.
EPISODE_TIME = datetime.fromisoformat("2013-01-12T10:00Z")
LATER = timedelta(minutes=20)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium() -> str:
    """Return the browser's path; skipped where there is none, an error in CI."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail("Chromium must be present in CI")
    pytest.skip("no Chromium on this machine")


@contextmanager
def browsing(fonts: Path | None = None) -> Iterator[Browser]:
    """Give a headless browser; where a machine has no Chinese and Japanese letters, those of the map's font."""
    path = chromium()
    environment: dict[str, str | float | bool] = {**os.environ}
    if fonts is not None:
        folder = files("notojp_matplotlib") / "fonts"
        fonts.write_text(
            '<?xml version="1.0"?><fontconfig><include ignore_missing="yes">/etc/fonts/fonts.conf</include>'
            f"<dir>{folder}</dir></fontconfig>"
        )
        environment["FONTCONFIG_FILE"] = str(fonts)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS), env=environment)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Site:
    """A service that runs, with a clock that can be set."""

    settings: Settings
    address: str = ""
    now: datetime = SAMPLE_TIME + LATER


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Serve a site on a free port."""
    app = create_app(site.settings, clock=lambda: site.now)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    site.address = f"http://127.0.0.1:{port}"
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join(10)


def sample_site(folder: Path) -> Site:
    """Return a site over the simulated sample."""
    settings = make_settings(data_dir=folder, cache_seconds=0)
    run_cycle(settings, init_time=SAMPLE_TIME)
    return Site(settings)


def episode_site(folder: Path, shared_data: Path) -> Site:
    """Return a site over the real episode of January 2013."""
    observations = shared_data / "five-cities"
    settings = make_settings(data_dir=folder, observations_dir=observations, weather="observed", cache_seconds=0)
    run_cycle(settings, init_time=EPISODE_TIME)
    return Site(settings, now=EPISODE_TIME + LATER)


def loaded(page: Page) -> None:
    """Bring the map into view, where it isn't, and wait until it shows its values."""
    page.locator("#map").scroll_into_view_if_needed()
    page.wait_for_selector(".badge", timeout=60_000)


def find_place(page: Page, name: str) -> None:
    """Search for a place as a reader does, and choose the first that is suggested."""
    page.fill("#place", name)
    page.locator("#places li").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
