"""The pictures of docs/page.md: ``python -m tests.tools.page_pictures docs/images --data ../shared/data``."""

from __future__ import annotations

import argparse
import io
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from hazecast.services.accounts.accounts import add_account
from tests.support.browser import browsing, episode_site, loaded, sample_site, serving
from tests.support.console_world import bureau, sign_in

# Below this a picture in the repository is light enough to read the docs on a phone.
_MOST_BYTES = 300_000


@dataclass(frozen=True)
class Picture:
    """One picture: of which site, which view, how wide and high, in light or dark."""

    name: str
    site: str
    view: str
    width: int
    height: int
    scheme: str = "light"


# Not forecast as shipped; 安庆 lies on the Yangtze.
_CITY = {
    "id": "anqing", "country": "CN", "name_en": "Anqing", "name_zh": "安庆", "name_ja": "安慶", "time_zone": "Asia/Shanghai",
    "latitude": "30.51", "longitude": "117.05", "elevation": "20", "code": "340800",
}  # fmt: skip
PICTURES = (
    Picture("page-desktop-en", "episode", "/?city=beijing&lang=en", 1280, 1180),
    Picture("page-dark-zh", "sample", "/?city=shanghai&lang=zh&layer=aqi", 1280, 1560, "dark"),
    Picture("page-phone-ja", "sample", "/?city=kitakyushu&lang=ja", 360, 1500),
    Picture("page-phone-en", "sample", "/?lang=en&layer=visibility", 360, 1500),
)


def draw(folder: Path, data: Path) -> None:
    """Write all pictures and the card into `folder`."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sites = {
            "sample": stack.enter_context(serving(sample_site(scratch / "sample"))),
            "episode": stack.enter_context(serving(episode_site(scratch / "episode", data))),
        }
        browser = stack.enter_context(browsing(scratch / "fonts.conf"))
        for picture in PICTURES:
            page = browser.new_page(
                viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.scheme
            )  # type: ignore[arg-type]
            page.goto(sites[picture.site].address + picture.view)
            loaded(page)
            page.wait_for_load_state("networkidle")
            _save(page, folder / f"{picture.name}.png")
            if picture is PICTURES[0]:
                card = page.request.get(f"{sites['episode'].address}/embed/beijing.png?lang=zh")
                (folder / "page-card-zh.png").write_bytes(card.body())
            page.close()
        draw_console(folder, browser, scratch / "bureau")


def draw_console(folder: Path, browser: Browser, scratch: Path) -> None:
    """Write the pictures of the console: a forecaster reads a draft in three languages; an administrator checks a city."""
    desk = bureau(scratch)
    add_account(desk.world.store.sessions, "zhou", name="Zhou Min", role="administrator", at=datetime.now(UTC))
    with serving(desk.site):
        page = browser.new_page(viewport={"width": 1280, "height": 1180}, timezone_id="Asia/Shanghai")
        sign_in(page, desk.site, desk.forecaster)
        page.locator(".draft .more summary").first.click()
        page.locator(".said").nth(2).wait_for()
        page.locator(".area-map").first.wait_for()
        _save(page, folder / "console-drafts-en.png")
        page.evaluate("sessionStorage.clear()")
        sign_in(page, desk.site, desk.key("zhou"))
        page.fill("#city-filter", "nan")
        page.locator("#new-city > summary").click()
        for field, text in _CITY.items():
            page.locator(f'#new-city [name="{field}"]').fill(text)
        page.locator('#new-city [value="check"]').click()
        page.locator("#new-city .area-map").wait_for()
        page.locator("#cities").evaluate("one => one.scrollIntoView()")
        _save(page, folder / "console-cities-en.png")
        page.close()
    desk.world.close()


def _save(page: Page, path: Path) -> None:
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.save(path, optimize=True)
    if path.stat().st_size >= _MOST_BYTES:
        # Fewer colours would make classes of the legend alike, where it can be helped.
        image.quantize(256, dither=Image.Dither.NONE, kmeans=2).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")
    assert path.stat().st_size < _MOST_BYTES, path


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    given = parser.parse_args()
    draw(given.folder, given.data)
