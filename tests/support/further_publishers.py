"""Local publishers of what is read beside the cities' own pollutants: reports of airports, and the neighbours' stations."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from hazecast.grids.units import PPB_25C
from tests.support.monitor_publishers import BEIJING, HOUR, JAPAN, KEY, LAST, Publisher, truth
from tests.support.source_server import Reply, Seen, SourceServer, json_reply

AIRPORTS = ("RJTT", "ZBAA")
HALF = timedelta(minutes=30)
_LARGEST = 400


def metar_row(
    icao: str, time: datetime, sight: str = "3000", weather: str = "HZ", **changed: object
) -> dict[str, object]:
    """A report as the Aviation Weather Center gives it; visibility also in statute miles, as its decoder rounds it."""
    text = f"METAR {icao} {time:%d%H%M}Z 14003MPS {sight} {weather} NSC 02/M05 Q1024 NOSIG".replace("  ", " ")
    return {
        "metar_id": 438274397, "icaoId": icao, "receiptTime": f"{time + timedelta(minutes=4):%Y-%m-%dT%H:%M:%S.000Z}",
        "obsTime": int(time.timestamp()), "reportTime": f"{time:%Y-%m-%dT%H:%M:%S.000Z}", "temp": 2, "dewp": -5,
        "wdir": 140, "wspd": 6, "visib": 1.86, "altim": 1024, "qcField": 0, "wxString": weather or None,
        "metarType": "METAR", "rawOb": text, "lat": 40.07, "lon": 116.6, "elev": 35, "name": icao, "cover": "CAVOK",
        "clouds": [], "fltCat": "IFR", **changed,
    }  # fmt: skip


def metar(
    server: SourceServer, report: Callable[[str, datetime], list[dict[str, object]]] = lambda i, t: [metar_row(i, t)]
) -> Publisher:
    """The Aviation Weather Center: reports every half hour, newest first, of the airports asked for; else 204."""
    newest = [LAST]

    def answer(seen: Seen) -> Reply:
        end = datetime.fromisoformat(seen.query["date"])
        start = end - float(seen.query["hours"]) * HOUR
        asked = [name for name in seen.query["ids"].split(",") if name in AIRPORTS]
        times = [newest[0] + HALF - n * HALF for n in range(200)]
        rows = [row for t in times if start <= t <= min(end, newest[0]) for name in asked for row in report(name, t)]
        return json_reply(rows[:_LARGEST]) if rows else Reply(b"", 204)

    server.route("/api/data/metar", answer)
    corrupt = json.dumps([{"icaoId": name, "obsTime": int(LAST.timestamp()), "raw": "x"} for name in AIRPORTS]).encode()
    return Publisher(
        "metar", server, {"metar_url": server.url}, "/api/data/metar", corrupt, "beijing", ("ZBAA.beijing",), ("vis", "rh"),
        newest,
    )  # fmt: skip


# Name of the station, its city and its network.
KOREAN = [
    ("중구", "서울", "도시대기"),
    ("강남대로", "서울", "도로변대기"),
    ("중구", "부산", "도시대기"),
    ("수원", "경기", "도시대기"),
]


def airkorea_row(name: str, place: str, network: str, time: datetime, **changed: object) -> dict[str, object]:
    local = (time - HOUR).astimezone(JAPAN)
    code = f"{place}.{name}"
    ppm = {gas: f"{truth(code, time, gas) / PPB_25C[gas] / 1000:.6f}" for gas in ("o3", "no2", "so2", "co")}
    row: dict[str, object] = {
        "sidoName": place,
        "stationName": name,
        "mangName": network,
        "khaiValue": "-",
        "khaiGrade": None,
    }
    row |= {f"{gas}Value": value for gas, value in ppm.items()} | dict.fromkeys((f"{gas}Flag" for gas in ppm), None)
    row |= {
        "pm25Value": f"{truth(code, time, 'pm25'):g}",
        "pm10Value": f"{truth(code, time, 'pm10'):g}",
        "pm25Flag": None,
    }
    return row | {
        "dataTime": f"{local:%Y-%m-%d} {local.hour + 1:02d}:00",
        "pm10Flag": None,
        "pm25Value24": "-",
        **changed,
    }


def airkorea_answer(rows: list[dict[str, object]], code: str = "00", message: str = "NORMAL_CODE") -> dict[str, object]:
    body = {"totalCount": len(rows), "items": rows, "pageNo": 1, "numOfRows": 1000}
    return {"response": {"body": body, "header": {"resultMsg": message, "resultCode": code}}}


def airkorea(server: SourceServer) -> Publisher:
    """AirKorea: the stations of one city a request; a wrong key is answered in XML under status 200."""
    newest = [LAST]

    def answer(seen: Seen) -> Reply:
        if seen.query["serviceKey"] != KEY:
            text = b"<OpenAPI_ServiceResponse><returnAuthMsg>SERVICE_KEY_IS_NOT_REGISTERED_ERROR</returnAuthMsg>"
            return Reply(text, 200, "text/xml")
        rows = [airkorea_row(*station, newest[0]) for station in KOREAN if station[1] == seen.query["sidoName"]]
        return json_reply(airkorea_answer(rows))

    server.route("/B552584/ArpltnInforInqireSvc/getCtprvnRltmMesureDnsty", answer)
    bad = [airkorea_row(*station, LAST) | {"pm25Value": "good"} for station in KOREAN]
    return Publisher(
        "airkorea", server, {"airkorea_url": server.url, "airkorea_key": KEY}, "getCtprvnRltmMesureDnsty",
        json.dumps(airkorea_answer(bad)).encode(), "seoul", ("서울.중구", "서울.강남대로"),
        ("pm25", "pm10", "o3", "no2", "so2", "co"), newest,
    )  # fmt: skip


# By number: name, county, position.
TAIWANESE = {
    "12": ("士林", "臺北市", 25.103, 121.515),
    "18": ("大同", "臺北市", 25.063, 121.513),
    "77": ("金門", "金門縣", 24.432, 118.312),
    "33": ("彰化", "彰化縣", 24.066, 120.542),
}


def moenv_row(code: str, time: datetime, **changed: object) -> dict[str, object]:
    name, county, latitude, longitude = TAIWANESE[code]
    ppb = {gas: f"{truth(code, time, gas) / PPB_25C[gas]:.4f}" for gas in ("o3", "no2", "so2")}
    return {
        "sitename": name, "county": county, "aqi": "52", "pollutant": "細懸浮微粒", "status": "普通", **ppb,
        "co": f"{truth(code, time, 'co') / PPB_25C['co'] / 1000:.6f}", "o3_8hr": "", "nox": "ND", "no": "",
        "pm10": f"{truth(code, time, 'pm10'):g}", "pm2.5": f"{truth(code, time, 'pm25'):g}", "wind_speed": "1.2",
        "publishtime": f"{time.astimezone(BEIJING):%Y/%m/%d %H:%M:%S}", "longitude": f"{longitude}",
        "latitude": f"{latitude}", "siteid": code, **changed,
    }  # fmt: skip


def moenv(server: SourceServer) -> Publisher:
    """Taiwan's open data: all stations in one answer, the key in the address."""
    newest = [LAST]

    def answer(seen: Seen) -> Reply:
        if seen.query["api_key"] != KEY:
            return json_reply({"error": "invalid api_key"}, 401)
        rows = [moenv_row(code, newest[0]) for code in TAIWANESE]
        return json_reply(
            {"fields": [], "include_total": True, "total": f"{len(rows)}", "limit": "1000", "records": rows}
        )

    server.route("/api/v2/aqx_p_432", answer)
    corrupt = json.dumps({"records": [moenv_row(code, LAST) | {"pm2.5": "good"} for code in TAIWANESE]}).encode()
    return Publisher(
        "moenv", server, {"moenv_url": server.url, "moenv_key": KEY}, "/api/v2/aqx_p_432", corrupt,
        "taipei", ("12", "18"), ("pm25", "pm10", "o3", "no2", "so2", "co"), newest,
    )  # fmt: skip


FURTHER: dict[str, Callable[[SourceServer], Publisher]] = {"metar": metar, "airkorea": airkorea, "moenv": moenv}
