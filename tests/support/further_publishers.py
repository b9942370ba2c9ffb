"""Local publishers of what is read beside the cities' own pollutants: reports of airports."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from tests.support.monitor_publishers import HOUR, LAST, Publisher
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


FURTHER: dict[str, Callable[[SourceServer], Publisher]] = {"metar": metar}
