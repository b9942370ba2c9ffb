"""Local publishers of monitoring data: each in its own protocol and layout, all of one made-up truth.

Every publisher has ``path``, a part of the address of its data, and ``corrupt``, a body in which
its format has changed; the client is the one that a deployment uses.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qs

from hazecast.grids.places.cities import load_registry
from hazecast.grids.units import PPB_25C
from hazecast.services.core.settings import Settings
from hazecast.services.sources.monitors.airnow import AirNowPosts
from hazecast.services.sources.monitors.soramame import hour_path
from tests.support.settings import make_settings
from tests.support.source_server import Reply, Seen, SourceServer, json_reply

# The header of Soramame's hourly file.
HEADER = (
    "測定局コード,SO2,NO,NO2,NOX,CO,OX,NMHC,CH4,THC,SPM,PM2.5,SP,WD,WS,TEMP,HUM,"
    "測定局名称,住所,問い合わせ先,局種別,地域コード,都道府県コード,市区町村名"
)
HOUR = timedelta(hours=1)
NOW = datetime(2026, 1, 14, 9, 20, tzinfo=UTC)
LAST = datetime(2026, 1, 14, 9, tzinfo=UTC)
KEY = "a-secret-key"
BEIJING, JAPAN = timezone(timedelta(hours=8)), timezone(timedelta(hours=9))


def truth(code: str, time: datetime, name: str) -> float:
    """Return what a station measures in the hour that ends at `time`, ug m-3 in whole tens of nothing special."""
    hour = time.timestamp() / 3600
    place = sum(map(ord, code)) % 17
    daily = math.sin(2 * math.pi * ((hour + 8) % 24 - 9) / 24)
    drift = math.sin(hour / 31 + 0.1 * place) + 0.4 * math.sin(hour / 5.3)
    base = {"pm25": 60, "pm10": 95, "o3": 70, "no2": 40, "so2": 12, "co": 900}[name]
    swing = {"pm25": 12, "pm10": 15, "o3": 45, "no2": -10, "so2": 3, "co": 150}[name]
    return round(base + swing * daily + 0.25 * base * drift + place, 1)


@dataclass
class Publisher:
    """One publisher on a local server."""

    name: str
    server: SourceServer
    settings: dict[str, object]
    path: str
    corrupt: bytes
    city: str
    codes: tuple[str, ...]
    names: tuple[str, ...]
    newest: list[datetime] = field(default_factory=lambda: [LAST])


CNEMC_STATIONS = {
    "1001A": ("北京市", "万寿西宫", 39.8673, 116.366),
    "1003A": ("北京市", "东四", 39.9522, 116.434),
    "1006A": ("北京市", "怀柔镇", 40.3937, 116.644),
    "1141A": ("上海市", "普陀", 31.238, 121.4),
    "2001A": ("乌鲁木齐市", "监测站", 43.831, 87.6432),
}


def cnemc_row(code: str, time: datetime) -> dict[str, object]:
    area, position, latitude, longitude = CNEMC_STATIONS[code]
    values = {
        field: f"{truth(code, time, name) / (1000 if name == 'co' else 1):g}"
        for name, field in (("pm25", "PM2_5"), ("pm10", "PM10"), ("o3", "O3"), ("no2", "NO2"), ("so2", "SO2"), ("co", "CO"))
    }  # fmt: skip
    return {
        "TimePoint": f"/Date({int(time.timestamp() * 1000)})/",
        "TimePointStr": f"{time.astimezone(BEIJING):%Y年%m月%d日 %H时}",
        "StationCode": code, "Area": area, "PositionName": position,
        "Latitude": str(latitude), "Longitude": str(longitude),
        "AQI": "75", "Quality": "良", "PrimaryPollutant": "颗粒物(PM2.5)", "Unheathful": None,
        "PM2_5_24h": "58", "O3_8h": "—", **values,
    }  # fmt: skip


def cnemc(server: SourceServer, edit: Callable[[list[dict[str, object]]], object] = lambda rows: rows) -> Publisher:
    """China's publication: the newest hour, and the last day by the hour asked for, in form data."""

    newest = [LAST]

    def live(seen: Seen) -> Reply:
        return (
            json_reply(edit([cnemc_row(code, newest[0]) for code in CNEMC_STATIONS]))
            if seen.method == "POST"
            else Reply(status=405)
        )

    def past(seen: Seen) -> Reply:
        asked = parse_qs(seen.body.decode())["date"][0]
        time = datetime.strptime(asked, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING).astimezone(UTC)
        return json_reply([cnemc_row(code, time) for code in CNEMC_STATIONS] if time > newest[0] - 25 * HOUR else [])

    server.route("/HourChangesPublish/GetAllAQIPublishLive", live)
    server.route("/HourChangesPublish/GetAQIHistoryByConditionHis", past)
    corrupt = json.dumps([cnemc_row(c, LAST) | {"PM2_5": "good"} for c in CNEMC_STATIONS]).encode()
    return Publisher(
        "cnemc", server, {"cnemc_url": server.url}, "GetAllAQIPublishLive", corrupt,
        "beijing", ("1001A", "1003A", "1006A"), ("pm25", "pm10", "o3", "no2", "so2", "co"), newest,
    )  # fmt: skip


SORAMAME_STATIONS = {
    "13101010": ("国設東京", "一般局", "13", "千代田区"),
    "13104010": ("新宿区", "一般局", "13", "新宿区"),
    "13113520": ("玉川通り", "自排局", "13", "渋谷区"),
    "40101010": ("門司", "一般局", "40", "北九州市門司区"),
    "01101010": ("センター", "一般局", "01", "札幌市"),
}


def soramame_csv(time: datetime) -> str:
    lines = [HEADER]
    for code, (name, siting, prefecture, municipality) in SORAMAME_STATIONS.items():
        ppm = {gas: f"{truth(code, time, gas) / PPB_25C[gas] / 1000:.5f}" for gas in ("so2", "no2", "co", "o3")}
        fields = [code, ppm["so2"], "0.002", ppm["no2"], "0.010", ppm["co"], ppm["o3"], "-", "-", "-", "0.020"]
        fields += [f"{truth(code, time, 'pm25'):g}", "-", "北", "2.1", "12.3", "55", name, "住所", "県", siting]
        lines.append(",".join([*fields, "01", prefecture, municipality]))
    return "\ufeff" + "\r\n".join(lines) + "\r\n"


HTML = b"<!DOCTYPE html><html><head><title>soramame</title></head><body><div id=app></div></body></html>"


def soramame(server: SourceServer, hours: int = 80) -> Publisher:
    """Soramame: a CSV an hour; whatever isn't there is answered with the page's HTML under status 200."""
    latest = f"{LAST.astimezone(JAPAN):%Y/%m/%d %H}:00:00"
    files = {hour_path(LAST - n * HOUR): soramame_csv(LAST - n * HOUR).encode() for n in range(hours)}

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("metadata.json"):
            return json_reply({"latest": latest, "oldest": "2021/01/25 00:00:00", "interval": "3600"})
        if seen.path in files:
            return Reply(files[seen.path], 200, "text/csv")
        return Reply(HTML, 200, "text/html")

    server.route("/data/sokutei/", answer)
    corrupt = soramame_csv(LAST).replace("PM2.5", "PM25", 1).encode()
    return Publisher(
        "soramame", server, {"soramame_url": server.url}, "/noudoAll/2026", corrupt,
        "tokyo", ("13101010", "13104010"), ("pm25", "o3", "no2", "so2", "co"),
    )  # fmt: skip


def openaq(server: SourceServer, page_size: int = 1000) -> Publisher:
    """OpenAQ: a key in the header, pages, a licence a location, and rate limits in the headers."""
    tokyo, beijing = load_registry().city("tokyo"), load_registry().city("beijing")
    locations = []
    for number, (city, north, monitor) in enumerate(
        [(tokyo, 0.01, True), (tokyo, 0.05, True), (tokyo, 0.02, False), (beijing, 0.0, True), (tokyo, 5.0, True)]
    ):
        code = 100 + number
        locations.append({
            "id": code, "name": f"Station {code}", "locality": None, "timezone": "Asia/Tokyo",
            "country": {"id": 1, "code": city.country, "name": "x"}, "owner": {"id": 4, "name": "Unknown"},
            "provider": {"id": 9, "name": "Japan Soramame"}, "isMobile": False, "isMonitor": monitor,
            "instruments": [{"id": 2, "name": "Government Monitor"}],
            "sensors": [
                {"id": code * 10 + 1, "name": "pm25 µg/m³", "parameter": {"id": 2, "name": "pm25", "units": "µg/m³", "displayName": "PM2.5"}},
                {"id": code * 10 + 2, "name": "o3 ppm", "parameter": {"id": 10, "name": "o3", "units": "ppm", "displayName": "O₃"}},
                {"id": code * 10 + 3, "name": "wind", "parameter": {"id": 22, "name": "wind_speed", "units": "m/s"}},
            ],
            "coordinates": {"latitude": city.latitude + north, "longitude": city.longitude},
            "licenses": [{"id": 41, "name": "CC BY 4.0", "attribution": {"name": "Ministry", "url": None}, "dateFrom": "2020-01-01", "dateTo": None}],
            "bounds": [0, 0, 0, 0], "distance": None,
            "datetimeFirst": {"utc": "2016-03-01T00:00:00Z", "local": "x"},
            "datetimeLast": {"utc": f"{LAST:%Y-%m-%dT%H:%M:%SZ}", "local": "x"},
        })  # fmt: skip

    def hour(code: str, name: str, end: datetime) -> dict[str, object]:
        value = truth(code, end, name) / (PPB_25C["o3"] * 1000 if name == "o3" else 1)
        return {
            "value": round(value, 6), "flagInfo": {"hasFlags": False},
            "parameter": {"id": 2, "name": name, "units": "ppm" if name == "o3" else "µg/m³"},
            "period": {
                "label": "1 hour", "interval": "01:00:00",
                "datetimeFrom": {"utc": f"{end - HOUR:%Y-%m-%dT%H:%M:%SZ}", "local": "x"},
                "datetimeTo": {"utc": f"{end:%Y-%m-%dT%H:%M:%SZ}", "local": "x"},
            },
            "coordinates": None, "coverage": {"percentComplete": 100.0},
        }  # fmt: skip

    def answer(seen: Seen) -> Reply:
        if seen.headers.get("x-api-key") != KEY:
            return json_reply({"detail": "invalid credentials"}, 401)
        rows: list[dict[str, object]] = list(locations)
        if seen.path.startswith("/v3/sensors/"):
            sensor = int(seen.path.split("/")[3])
            start, end = (datetime.fromisoformat(seen.query[edge]) for edge in ("datetime_from", "datetime_to"))
            count = int((end - start) / HOUR)
            name = {1: "pm25", 2: "o3"}[sensor % 10]
            rows = [hour(str(sensor // 10), name, start + (n + 1) * HOUR) for n in range(count)]
        page, limit = int(seen.query["page"]), min(int(seen.query["limit"]), page_size)
        part = rows[(page - 1) * limit : page * limit]
        left = max(0, 59 - len(server.requests) % 60)
        headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": str(left), "x-ratelimit-reset": "7"}
        found = len(rows) if len(rows) < 1000 else ">1000"
        reply = json_reply(
            {"meta": {"name": "openaq-api", "page": page, "limit": limit, "found": found}, "results": part}
        )
        return Reply(reply.body, 200, reply.content_type, headers)

    server.route("/v3/", answer)
    corrupt = json.dumps({"meta": {}, "results": [{"value": 1.0, "time": "2026"}]}).encode()
    return Publisher(
        "openaq", server, {"openaq_url": server.url, "openaq_key": KEY}, "/v3/sensors/", corrupt,
        "tokyo", ("100", "101"), ("pm25", "o3"),
    )  # fmt: skip


def airnow(server: SourceServer, *, old_layout: bool = False, hours: int = 80) -> Publisher:
    """The posts' files, stamped with the start of the hour in StateAir's layout and with its end in AirNow's."""
    for post in ("Beijing", "Shanghai", "Shenyang"):
        server.file(
            f"/dos/historical/{post}/2026/{post}_PM2.5_2026_YTD.csv", airnow_csv(post, old_layout, hours), "text/csv"
        )
    corrupt = airnow_csv("Beijing", old_layout).replace(b"Duration", b"Length", 1)
    names = AirNowPosts.name
    return Publisher(
        names, server, {"airnow_url": server.url}, "/Beijing/", corrupt, "beijing", ("Beijing",), ("pm25",)
    )


def airnow_csv(post: str, old_layout: bool, hours: int = 80) -> bytes:
    if old_layout:
        lines = ["The following data have not been fully validated or verified.", ""]
        lines.append("Site,Parameter,Date (LT),Year,Month,Day,Hour,Value,Unit,Duration,QC Name")
    else:
        lines = [
            "Site,Parameter,Date (LT),Year,Month,Day,Hour,NowCast Conc.,AQI,AQI Category,Raw Conc.,Conc. Unit,Duration,QC Name"
        ]
    for n in reversed(range(hours)):
        end = LAST - n * HOUR
        local = (end - HOUR if old_layout else end).astimezone(BEIJING)
        value = -999 if n == 20 else truth(post, end, "pm25")
        stamp = f"{local:%Y-%m-%d %I:%M %p},{local.year},{local.month},{local.day},{local.hour}"
        if old_layout:
            lines.append(f"{post},PM2.5,{stamp},{value:g},Âµg/mÂ³,1 Hr,{'Missing' if n == 20 else 'Valid'}")
        else:
            lines.append(
                f"{post},PM2.5 - Principal,{stamp},30,90,Moderate,{value:g},UG/M3,1 Hr,{'Missing' if n == 20 else 'Valid'}"
            )
    return ("\r\n".join(lines) + "\r\n").encode()


def open_meteo(server: SourceServer) -> Publisher:
    """Open-Meteo's air quality: all cities in one call, as a list in the order asked."""
    cities = {(f"{c.latitude:.4f}", f"{c.longitude:.4f}"): c for c in load_registry().cities.values()}
    fields = {
        "pm25": "pm2_5",
        "pm10": "pm10",
        "o3": "ozone",
        "no2": "nitrogen_dioxide",
        "so2": "sulphur_dioxide",
        "co": "carbon_monoxide",
    }

    def answer(seen: Seen) -> Reply:
        places = zip(seen.query["latitude"].split(","), seen.query["longitude"].split(","), strict=True)
        start, end = (
            datetime.fromisoformat(seen.query[edge]).replace(tzinfo=UTC) for edge in ("start_hour", "end_hour")
        )
        times = [start + n * HOUR for n in range(int((end - start) / HOUR) + 1)]
        bodies = []
        for place in places:
            city = cities[place]
            bodies.append({
                "latitude": round(city.latitude / 0.4) * 0.4, "longitude": round(city.longitude / 0.4) * 0.4,
                "generationtime_ms": 0.1, "utc_offset_seconds": 0, "timezone": "GMT", "elevation": 40.0,
                "hourly_units": {"time": "unixtime"} | dict.fromkeys(fields.values(), "μg/m³"),
                "hourly": {"time": [int(t.timestamp()) for t in times]}
                | {field: [truth(city.id, t, name) for t in times] for name, field in fields.items()},
            })  # fmt: skip
        return json_reply(bodies if len(bodies) > 1 else bodies[0])

    server.route("/v1/air-quality", answer)
    place = {"latitude": 39.904, "longitude": 116.407, "hourly_units": {}, "hourly": {"time": [0], "pm2_5": [1.0]}}
    corrupt = json.dumps([place] * len(cities)).encode()
    return Publisher(
        "open_meteo", server, {"open_meteo_air_url": server.url}, "/v1/air-quality", corrupt,
        "beijing", ("beijing",), tuple(fields),
    )  # fmt: skip


PUBLISHERS: dict[str, Callable[[SourceServer], Publisher]] = {
    "cnemc": cnemc,
    "soramame": soramame,
    "openaq": openaq,
    "airnow": airnow,
    "open_meteo": open_meteo,
}


def write_csv_folder(folder: Path, hours: int = 80) -> Path:
    """Write a bureau's own export: two stations of Kitakyushu and one of nowhere near."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stations.csv").write_text(
        "code,name,latitude,longitude,city,siting,licence\n"
        "a,Kokura,33.883,130.875,,background,internal\nb,Roadside,33.88,130.87,kitakyushu,roadside,internal\n"
        "c,Far,45.0,140.0,,,\n",
        encoding="utf-8",
    )
    lines = ["station,time,pm25,o3"]
    for n in reversed(range(hours)):
        time = LAST - n * HOUR
        lines += [f"{code},{time.astimezone(JAPAN).isoformat()},{truth(code, time, 'pm25'):g}," for code in "abc"]
    (folder / "hours.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def settings_for(folder: Path, *publishers: Publisher, **given: object) -> Settings:
    """Return settings with these publishers as the sources of observations, in this order."""
    known: dict[str, object] = {"data_dir": folder, "monitor_sources": [p.name for p in publishers]}
    for publisher in publishers:
        known |= publisher.settings
    return make_settings(**{**known, **given})
