"""The daily bulletin's words, tables and pages, from forecasts that tests make."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
import xarray as xr
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from markupsafe import escape
from pypdf import PdfReader

from hazecast.alerts.bulletin.content import Bulletin, HazeOutlook, Reason, charted, make_bulletin
from hazecast.alerts.bulletin.data import COLUMNS, as_csv, as_dataset
from hazecast.alerts.bulletin.figures import in_its_class
from hazecast.alerts.bulletin.forms import Imprint, ink_on
from hazecast.alerts.bulletin.render import as_html, as_pdf, as_text
from hazecast.alerts.bulletin.wording import MAP, chart_name, make_view
from hazecast.alerts.maps.options import FONT_FILE
from hazecast.alerts.maps.sheet import as_png
from hazecast.alerts.messages.causes import Causes
from hazecast.alerts.messages.texts import LANGUAGES, catalog
from hazecast.alerts.rules.book import RuleBook
from hazecast.forecast.daily import DayCheck, daily_outlook
from hazecast.forecast.day_index import day_index
from hazecast.forecast.days import day_begins
from hazecast.forecast.indices import china_aqi
from hazecast.forecast.products import daily_mean, mda8
from hazecast.grids.contract import LEAD_HOURS, QUANTILES
from hazecast.grids.places.cities import load_registry
from tests.support.cap_messages import made_warning
from tests.support.catalogs import HAN, KANA

REGISTRY = load_registry()
BOOK = RuleBook.shipped()
INIT = datetime(2013, 1, 11, 22, tzinfo=UTC)
AT = INIT + timedelta(minutes=30)
SPREAD = np.array([0.5, 0.8, 1.0, 1.3, 1.7])


def case(
    ids: list[str], seed: int = 0, missing: float = 0.0, simulated: int = 0, degraded: int = 0
) -> tuple[xr.Dataset, xr.Dataset]:
    """A forecast of some cities and a day of observations before it."""
    rng = np.random.default_rng(seed)
    init = np.datetime64(INIT.replace(tzinfo=None), "ns")
    shape = (LEAD_HOURS, len(ids))

    def holed(values: np.ndarray) -> np.ndarray:
        return np.where(rng.random(values.shape) < missing, np.nan, values)

    forecast = xr.Dataset(
        {
            name: (("lead_time", "city", "quantile"), holed(rng.uniform(5.0, top, shape))[..., None] * SPREAD)
            for name, top in (("pm25", 400.0), ("o3", 200.0))
        }
        | {"relative_humidity": (("lead_time", "city"), holed(rng.uniform(20.0, 100.0, shape)))},
        coords={
            "lead_time": np.arange(1, LEAD_HOURS + 1) * np.timedelta64(3600 * 10**9, "ns"),
            "city": ids,
            "quantile": list(QUANTILES),
            "init_time": init,
        },
        attrs={
            "simulated": simulated,
            "degraded": degraded,
            "model_id": "network-1",
            "weather_source": "none: no weather forecast was given",
            "humidity_source": "diurnal persistence",
            "observations_until": "2013-01-11T22:00:00Z",
        },
    )
    times = init - np.arange(23, -1, -1) * np.timedelta64(3600 * 10**9, "ns")
    observations = xr.Dataset(
        {name: (("time", "city"), holed(rng.uniform(5.0, 300.0, (24, len(ids))))) for name in ("pm25", "o3")},
        coords={"time": times, "city": ids},
    )
    return forecast, observations


def check(city: str, forecast: float, observed: float) -> DayCheck:
    day, init = np.datetime64("2013-01-11", "ns"), np.datetime64("2013-01-10T10:00", "ns")
    ranged = (forecast * 0.5, forecast, forecast * 1.5)
    return DayCheck(city, day, init, ranged, observed, ranged, observed, 75.0)


def made(ids: list[str] | None = None, **given: object) -> tuple[Bulletin, xr.Dataset]:
    """A whole bulletin: Beijing under a red warning, Kitakyushu, and a city without a forecast."""
    ids = ids or ["beijing", "kitakyushu"]
    forecast, observations = case(ids, simulated=int(given.pop("simulated", 0)), degraded=int(given.pop("degraded", 0)))
    arguments: dict[str, object] = {
        "warnings": [(made_warning(level="red", issued=INIT, probability=0.76), Causes(calm=1.0))],
        "checks": [check("beijing", 150.0, 120.0), check("kitakyushu", 90.0, 20.0)],
        "haze": HazeOutlook([], (INIT + timedelta(hours=2), INIT + timedelta(hours=26)), BOOK.haze_signal),
    }
    cities = [REGISTRY.city(name) for name in [*ids, "shanghai"]]
    return make_bulletin(forecast, observations, REGISTRY, BOOK, cities, AT, **(arguments | given)), forecast


def picture() -> bytes:
    from PIL import Image

    return as_png(Image.new("RGB", (40, 20), "white"))


PICTURES = {MAP: picture(), chart_name("beijing", "pm25"): picture()}


def words_of(view: object) -> str:
    def walk(value: object) -> list[str]:
        if isinstance(value, str):
            return [value]
        if isinstance(value, dict):
            return [text for part in value.values() for text in walk(part)]
        return [text for part in value for text in walk(part)] if isinstance(value, list | tuple) else []

    return " ".join(walk(asdict(view)))  # type: ignore[call-overload]


def pdf_text(document: bytes) -> str:
    # A table's cell may break a word or a number from its sign: spaces tell nothing.
    return re.sub(r"\s", "", "".join(page.extract_text() for page in PdfReader(io.BytesIO(document)).pages))


def test_values_are_those_of_the_products() -> None:
    bulletin, forecast = made()
    _, observations = case(["beijing", "kitakyushu"])
    beijing = REGISTRY.city("beijing")
    days = bulletin.days[beijing]
    assert [str(day.date)[:10] for day in days] == [f"2013-01-{n}" for n in range(12, 17)]
    means, peaks = daily_mean(forecast, REGISTRY)["pm25"], mda8(forecast, REGISTRY)["o3"]
    outlook = daily_outlook(forecast, observations, REGISTRY).sel(city="beijing")
    for day in days[1:]:
        own = outlook.sel(date=day.date)
        assert day.pm25 == tuple(own["pm25_mean"].values) and day.o3 == tuple(own["o3_mda8"].values)
        # Near to the products of the hours' medians; the mean's range is narrower than an hour's.
        here = {"date": day.date, "city": "beijing"}
        assert day.pm25[1] == pytest.approx(float(means.sel(here)), rel=0.03)
        assert 1.0 < day.o3[1] / float(peaks.sel(here)) < 1.2
        assert 0.5 < day.pm25[0] / day.pm25[1] < 0.7 and 1.4 < day.pm25[2] / day.pm25[1] < 1.7
        index = china_aqi({"pm25": day.pm25[1], "o3_8h": day.o3[1]}, day_begins(beijing, day.date))
        assert day.index is not None and day.index.value == index.value and day.observed_hours == 0
    # Beijing's 12 January began at 16 UTC: six hours are observed, 18 are forecast.
    assert days[0].observed_hours == 6
    seen = observations["pm25"].sel(city="beijing").values[-6:]
    ahead = forecast["pm25"].sel(city="beijing", quantile=0.5).values[:18]
    assert days[0].pm25[1] == pytest.approx(np.concatenate([seen, ahead]).mean(), rel=0.03)
    assert days[0].pm25_max == pytest.approx(max(seen.max(), ahead.max()))


def test_haze_grade_of_a_day_must_last() -> None:
    forecast, observations = case(["beijing"])
    forecast["pm25"][:] = 10.0
    forecast["relative_humidity"][:] = 50.0
    day = slice(18, 42)
    for hours, grade in ((5, 0), (6, 4)):
        forecast["pm25"][18 : 18 + hours] = 700.0
        outlook = daily_outlook(forecast, observations, REGISTRY).sel(date="2013-01-13", city="beijing")
        assert int(outlook["haze_grade"]) == grade, hours
    assert float(outlook["pm25_max"]) == 700.0 and float(forecast["pm25"][day].mean()) > 10.0


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_say_everything_in_their_language(language) -> None:
    bulletin, _ = made(
        simulated=1, degraded=1, stale=True, reasons=[Reason("late", (("city", "beijing"), ("hours", "9")))]
    )
    view = make_view(bulletin, language, PICTURES)
    said = words_of(view)
    assert not re.search(r"[{}]|None|\bnan\b", said)
    assert [banner.kind for banner in view.banners] == ["simulated", "stale", "degraded"]
    place = getattr(REGISTRY.city("beijing"), f"name_{language}")
    assert place in view.banners[2].details[0] and "9" in view.banners[2].details[0]
    # Names of substances, standards and programs are the same in every language.
    foreign = re.sub(
        r"Hazecast|PM2\.5|AQI|QX/T 113-2010|HJ 633-2012|network-1|km|ppm|g/m³|m/s|zh-CN|ja-JP|en-US"
        r"|#[0-9A-F]{6}|\b(?:map|beijing-pm25|simulated|stale|degraded)\b|CMA",
        "", said,
    )  # fmt: skip
    if language == "en":
        assert not HAN.search(said) and not KANA.search(said)
    else:
        assert not re.search(r"[A-Za-z]{2,}", foreign), re.findall(r"[A-Za-z]{2,}", foreign)
        assert bool(KANA.search(said)) == (language == "ja")
    level = {"zh": "霾红色预警", "ja": "煙霧赤色警報", "en": "Red haze warning"}[language]
    assert view.warnings is not None and view.warnings.rows[0][0].text == level and level in view.summary[0]
    assert view.guides[0].lines[0][1] == catalog(language).messages["guidance"]["haze"]["extreme"]["public"]
    assert getattr(REGISTRY.city("shanghai"), f"name_{language}") in " ".join(view.summary)


def test_the_bulletin_of_one_city_has_two_pages() -> None:
    from PIL import Image

    # As large as the map and the charts are drawn.
    pictures = {MAP: as_png(Image.new("RGB", (1200, 1080), "white"))}
    pictures |= {chart_name("beijing", item): as_png(Image.new("RGB", (1600, 800), "white")) for item in ("pm25", "o3")}
    imprint = Imprint("Beijing Municipal Ecology and Environment Bureau", "Li Na, Director", "year")
    forecast, observations = case(["beijing"], degraded=1)
    warnings = [(made_warning(level="red", issued=INIT, probability=0.76), Causes(calm=1.0))]
    haze = HazeOutlook([], (INIT + timedelta(hours=2), INIT + timedelta(hours=26)), BOOK.haze_signal)
    bulletin = make_bulletin(
        forecast, observations, REGISTRY, BOOK, [REGISTRY.city("beijing")], AT,
        warnings=warnings, checks=[check("beijing", 150.0, 120.0)], haze=haze, reasons=[Reason("late", (("city", "beijing"), ("hours", "9")))],
    )  # fmt: skip
    for language in LANGUAGES:
        view = make_view(bulletin, language, pictures, imprint)
        document = as_pdf(view, pictures, INIT)
        assert len(PdfReader(io.BytesIO(document)).pages) == 2, language
        printed = pdf_text(document)
        assert re.sub(r"\s", "", f"{imprint.letterhead}{view.title}{view.number}") in printed and "LiNa" in printed


def test_a_cell_has_the_colour_of_what_it_says() -> None:
    bulletin, _ = made()
    view = make_view(bulletin, "en")
    for city, section in zip(bulletin.days, view.sections, strict=True):
        for day, row in zip(bulletin.days[city], section.table.rows, strict=True):
            own = (day.pm25_index, day.o3_index, day.index)
            assert [row[n].colour for n in (1, 3, 4)] == [index.colour if index else "" for index in own]
    # A class that ozone alone decides says so beside the value of PM2.5.
    forecast, observations = case(["beijing"])
    forecast["pm25"][:], forecast["o3"][:], observations["pm25"][:] = 10.0, 200.0, 10.0
    beijing = [REGISTRY.city("beijing")]
    low = make_bulletin(forecast, observations, REGISTRY, BOOK, beijing, AT, warnings=[], checks=[])
    cell = make_view(low, "en").overview.rows[0][3]
    assert cell.text.endswith("light pollution, ozone") and cell.sub.startswith("10 ")


@pytest.mark.parametrize(
    ("city", "date", "pollutant", "value", "shown"),
    [
        ("beijing", "2013-01-12", "pm25", 75.3, "75"), ("beijing", "2013-01-12", "pm25", 75.0, "75"),
        ("beijing", "2013-01-12", "pm25", 74.6, "75"), ("beijing", "2013-01-12", "pm25", 150.6, "151"),
        ("beijing", "2026-04-01", "pm25", 60.2, "60"), ("beijing", "2026-04-01", "pm25", 75.3, "75"),
        ("beijing", "2013-01-12", "o3", 160.4, "160"), ("himeji", "2013-01-12", "pm25", 35.4, "35.4"),
        ("himeji", "2013-01-12", "o3", 160.4, "160"), ("himeji", "2013-01-12", "pm25", float("nan"), "–"),
    ],
)  # fmt: skip
def test_a_rounded_value_is_in_the_class_of_the_day(city, date, pollutant, value, shown) -> None:
    # HJ 633 rates the whole number; Japan's standard is compared with the value itself.
    assert in_its_class(value, REGISTRY.city(city), np.datetime64(date, "ns"), pollutant, catalog("en")) == shown


def test_a_forecast_beside_its_limit_is_on_the_side_that_the_outcome_says() -> None:
    bulletin, _ = made(checks=[check("beijing", 75.3, 74.9), check("kitakyushu", 75.0, 75.04)])
    first, second = make_view(bulletin, "en").check.rows
    assert (first[1].text.split()[0], first[2].text) == ("75.3", "75") and "false alarm" in first[5].text
    assert (second[1].text.split()[0], second[2].text) == ("75", "75.04") and "miss" in second[5].text


@given(st.floats(0.0, 600.0), st.sampled_from(["beijing", "himeji"]))
@settings(max_examples=50, deadline=None)
def test_what_is_shown_has_the_index_that_is_shown(value, name) -> None:
    city, date = REGISTRY.city(name), np.datetime64("2013-01-12", "ns")
    shown = float(in_its_class(value, city, date, "pm25", catalog("en")))
    classes = [day_index(city, date, one, float("nan"), float("nan")) for one in (value, shown)]
    assert classes[0].id == classes[1].id


def test_the_bureaus_letterhead_number_and_signatory_are_in_every_page_form() -> None:
    bulletin, _ = made()
    imprint = Imprint("北京市生态环境局", "Li Na, Director", date(2013, 1, 1))
    for language, number in (("zh", "第12期"), ("ja", "第12号"), ("en", "No. 12")):
        view = make_view(bulletin, language, (), imprint)
        assert (view.letterhead, view.number) == (imprint.letterhead, number) and "Li Na, Director" in view.signed
        pages = as_html(view, {}).decode(), as_text(view)
        for page in pages:
            assert all(
                re.sub(r"\s", "", part) in re.sub(r"\s", "", page) for part in (imprint.letterhead, number, "LiNa")
            )
    assert Imprint(numbered_from="year").number(date(2014, 2, 1)) == 32
    assert (
        Imprint(numbered_from=date(2014, 2, 2)).number(date(2014, 2, 1)) is None is Imprint().number(date(2014, 2, 1))
    )
    assert 'letterhead"' not in as_html(make_view(bulletin, "en"), {}).decode()


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_is_one_sound_page(language) -> None:
    bulletin, _ = made(simulated=1)
    view = make_view(bulletin, language, PICTURES)
    page = as_html(view, PICTURES).decode()
    tree = lxml_html.fromstring(page)
    assert tree.get("lang") == view.language and page.startswith("<!DOCTYPE html>")
    assert not tree.xpath("//script|//link|//iframe|//*[@onclick]") and "http" not in page
    assert [i.get("src")[:22] for i in tree.xpath("//img")] == ["data:image/png;base64,"] * 2
    assert all(len(i.get("alt")) > 10 for i in tree.xpath("//img"))
    tables = tree.xpath("//table")
    assert len(tables) == 3 + len(bulletin.days)
    for table in tables:
        assert table.xpath("./caption") and table.xpath("./thead//th[@scope='col']")
        rows = table.xpath("./tbody/tr")
        assert rows and all(len(r.xpath("./th[@scope='row']")) == 1 for r in rows)
        assert {len(r) for r in rows} == {len(table.xpath("./thead//th"))}
    short = catalog(language).say("daily.state.short.simulated")
    assert short in tree.findtext(".//title") and f'content: "{short}"' in page
    assert short in "".join(tree.xpath("//footer//text()")), "printed at the end too"


def test_words_from_outside_are_no_markup() -> None:
    bulletin, _ = made(degraded=1, reasons=[Reason("other", (("text", '<b onclick="x">#eval("1")'),))])
    view = make_view(bulletin, "en", PICTURES)
    tree = lxml_html.fromstring(as_html(view, PICTURES).decode())
    assert not tree.xpath("//b") and '<b onclick="x">' in "".join(tree.xpath("//header//li/text()"))
    assert '<bonclick="x">#eval("1")' in pdf_text(as_pdf(view, PICTURES, INIT))


@pytest.mark.parametrize("language", LANGUAGES)
def test_pdf_is_tagged_paged_and_says_the_same(language) -> None:
    bulletin, _ = made(simulated=1)
    view = make_view(bulletin, language, PICTURES)
    document = as_pdf(view, PICTURES, INIT)
    reader = PdfReader(io.BytesIO(document))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"].startswith(language) and "/StructTreeRoot" in root
    assert view.title in reader.metadata.title and reader.metadata.author == "Hazecast"
    short = re.sub(r"\s", "", catalog(language).say("daily.state.short.simulated"))
    pages = [re.sub(r"\s", "", page.extract_text()) for page in reader.pages]
    for number, page in enumerate(pages, start=1):
        assert short in page and f"{number}/{len(pages)}" in page
        fonts = page_fonts(reader, number - 1)
        assert fonts and all("NotoSansCJK" in name and embedded for name, embedded in fonts)
    text = "".join(pages)
    assert view.warnings is not None and view.overview is not None and view.check is not None
    for table in (view.warnings, view.overview, view.check, *(section.table for section in view.sections)):
        for row in table.rows:
            for cell in row:
                assert re.sub(r"\s", "", cell.text) in text, cell.text
    for notice in view.sections[0].notices:
        assert re.sub(r"\s", "", notice.headline) in text and re.sub(r"\s", "", notice.text) in text
    assert as_pdf(view, PICTURES, INIT) == document


def page_fonts(reader: PdfReader, number: int) -> list[tuple[str, bool]]:
    found = []
    for font in reader.pages[number]["/Resources"]["/Font"].values():
        inner = font.get_object()["/DescendantFonts"][0].get_object()
        descriptor = inner["/FontDescriptor"].get_object()
        found.append((str(inner["/BaseFont"]), any(f"/FontFile{n}" in descriptor for n in ("", "2", "3"))))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_font_has_every_character(language) -> None:
    known = set(TTFont(FONT_FILE).getBestCmap())
    said = json.dumps(catalog(language).messages, ensure_ascii=False)
    names = "".join(getattr(city, f"name_{language}") for city in REGISTRY.cities.values())
    bulletin, _ = made(simulated=1, degraded=1, stale=True)
    whole = said + names + words_of(make_view(bulletin, language, PICTURES))
    missing = {letter for letter in whole if ord(letter) not in known and not letter.isspace()}
    assert not missing
    assert ord("\U0001f32b") not in known, "a character that the font lacks is found out"


def test_text_for_mail_has_the_warning_and_every_city() -> None:
    bulletin, _ = made(simulated=1)
    text = as_text(make_view(bulletin, "en"))
    assert text.startswith("*** SIMULATED") and "! Red haze warning" in text and "&" not in text
    assert "- Beijing" in text and "- Kitakyushu" in text and not re.search(r"\n{3,}", text)


def test_verification_is_summed_up() -> None:
    bulletin, _ = made()
    view = make_view(bulletin, "en")
    assert "mean error of PM2.5 +50 µg/m³" in view.check_text[0] and "in the 80 % range: 1 of 2" in view.check_text[0]
    assert "hits 1, misses 0, false alarms 1" in view.check_text[0] and view.check_text[0] in view.summary
    assert "10 January 2013" in view.check_text[1] and view.check is not None
    assert [cell.text for cell in view.check.rows[1]][1:6] == [
        "90 (45–135)", "20", "+70", "no", "forecast, did not come (false alarm)",
    ]  # fmt: skip
    for reason in ("simulated", "no_observations", "no_forecast"):
        silent = make_view(made(checks=[], unchecked=reason)[0], "en")
        assert silent.check is None and silent.check_text[0].startswith("Not verified")
    unknown = make_view(made(checks=[check("beijing", 100.0, np.nan)])[0], "en")
    assert "can't be verified yet" in unknown.check_text[0] and unknown.check is not None


def test_csv_holds_the_same_in_columns_that_are_documented() -> None:
    bulletin, _ = made()
    content = as_csv(bulletin, "ja")
    assert content.startswith(b"\xef\xbb\xbf") and content.count(b"\r\n") == content.count(b"\n")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert tuple(rows[0]) == COLUMNS and {row["simulated"] for row in rows} <= {"0", ""}
    kinds = [row["kind"] for row in rows]
    assert kinds.count("verification") == 2 and kinds.count("forecast") == 10 and kinds[-1] == "missing"
    first = rows[0]
    assert (first["outcome"], first["pm25_mean_error_ug_m3"], first["init_time_utc"]) == (
        "hit",
        "30.0",
        "2013-01-10T10:00Z",
    )
    day = bulletin.days[REGISTRY.city("beijing")][1]
    row = next(r for r in rows if (r["city"], r["date"]) == ("beijing", "2013-01-13"))
    assert float(row["pm25_mean_ug_m3"]) == pytest.approx(day.pm25[1], abs=0.05)
    assert day.index is not None and row["aqi"] == str(day.index.value) and row["category"] == day.index.name_ja
    assert row["warnings"] == "" and rows[2]["warnings"] == "cma_haze:red"
    with open("docs/bulletin.md", encoding="utf-8") as page:
        documented = page.read()
    assert all(f"`{column}`" in documented for column in COLUMNS)


def test_dataset_is_cf_and_holds_hours_and_days(tmp_path) -> None:
    bulletin, forecast = made()
    dataset = as_dataset(bulletin, forecast)
    dataset.to_netcdf(tmp_path / "b.nc", engine="netcdf4")
    with xr.open_dataset(tmp_path / "b.nc", decode_timedelta=True) as read:
        assert list(read["city"].values) == ["beijing", "kitakyushu"] and read.attrs["Conventions"] == "CF-1.11"
        np.testing.assert_allclose(read["pm25"].values, forecast["pm25"].values)
        days = bulletin.days[REGISTRY.city("beijing")]
        here = read["daily_pm25_mean"].sel(city="beijing", date=[d.date for d in days]).values
        np.testing.assert_allclose(here, [d.pm25 for d in days])
        daily = [name for name in read.data_vars if str(name).startswith("daily_")]
        assert len(daily) == 8 and all({"units", "long_name"} <= set(read[name].attrs) for name in daily)
        assert [w["level"] for w in json.loads(read.attrs["warnings_in_force"])] == ["red"]
        assert [c["outcome"] for c in json.loads(read.attrs["verification"])] == ["hit", "false_alarm"]
        assert (
            read.attrs["cities_without_forecast"] == "shanghai"
            and np.isnan(read["daily_aqi"].sel(city="kitakyushu")).all()
        )


@pytest.mark.parametrize(
    ("pm25", "o3", "expected"), [(35.0, 100.0, "within_standard"), (35.1, 100.0, "above_standard"),
                                 (10.0, 120.0, "above_standard"), (70.1, 10.0, "alert_level"), (10.0, 236.0, "alert_level"),
                                 (10.0, 471.0, "warning_level")],
)  # fmt: skip
def test_a_japanese_day_is_rated_by_japans_standards(pm25, o3, expected) -> None:
    from hazecast.forecast.day_index import day_index

    found = day_index(REGISTRY.city("kitakyushu"), np.datetime64("2026-05-01", "ns"), pm25, o3, o3)
    assert found is not None and (found.id, found.value) == (expected, None)
    assert day_index(REGISTRY.city("kitakyushu"), np.datetime64("2026-05-01", "ns"), np.nan, np.nan, np.nan) is None


def test_letters_stand_out_from_every_colour() -> None:
    def contrast(one: str, other: str) -> float:
        def light(colour: str) -> float:
            parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
            return float(
                np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
            )

        high, low = sorted((light(one), light(other)), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for colour in ("#00E400", "#FFFF00", "#FF7E00", "#FF0000", "#99004C", "#7E0023", "#FAED24", "#4CAF50", "#C2185B"):
        assert contrast(colour, ink_on(colour)) >= 4.5, colour


@settings(max_examples=8, deadline=None)
@given(
    count=st.sampled_from([1, 2, 40]),
    missing=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 99),
    hours_later=st.sampled_from([0, 30, 200]),
    language=st.sampled_from(LANGUAGES),
)
def test_odd_data_still_make_a_bulletin(count, missing, seed, hours_later, language) -> None:
    ids = list(REGISTRY.cities)[:count]
    forecast, observations = case(ids, seed, missing)
    cities = [REGISTRY.city(name) for name in ids]
    at = AT + timedelta(hours=hours_later)
    bulletin = make_bulletin(
        forecast, observations, REGISTRY, BOOK, cities, at, warnings=[], checks=[], unchecked="no_forecast"
    )
    assert [city.id for city in bulletin.days] == ids and len(charted(bulletin)) <= 8
    view = make_view(bulletin, language)
    assert len(view.sections) == count and "nan" not in words_of(view).split()
    page = as_html(view, {}).decode()
    assert all(escape(section.name) in page for section in view.sections) and as_text(view)
    if seed % 4 == 0:
        assert len(PdfReader(io.BytesIO(as_pdf(view, {}, INIT))).pages) >= 1
    rows = list(csv.DictReader(io.StringIO(as_csv(bulletin, language).decode("utf-8-sig"), newline="")))
    assert len(rows) == sum(map(len, bulletin.days.values()))
    assert set(map(str, as_dataset(bulletin, forecast)["city"].values)) == set(ids)


def test_without_any_forecast_city_the_bulletin_says_so() -> None:
    forecast, observations = case(["beijing"])
    bulletin = make_bulletin(
        forecast, observations, REGISTRY, BOOK, [REGISTRY.city("tokyo")], AT, warnings=[], checks=[]
    )
    view = make_view(bulletin, "en")
    assert "No forecast for Tokyo" in " ".join(view.summary) and view.overview is None and not view.sections
    assert b"Tokyo" in as_html(view, {}) and as_pdf(view, {}, INIT)
    assert as_dataset(bulletin, forecast).sizes["city"] == 0
