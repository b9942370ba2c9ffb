"""Whole files of the monitoring collections and weather stations, for fuzzing."""

from __future__ import annotations

from pathlib import Path

_ITEMS = ("AMB_TEMP", "CO", "NO2", "O3", "PM10", "PM2.5", "RAINFALL", "RH", "SO2", "WIND_DIREC", "WIND_SPEED")


def write_us_posts(path: Path) -> None:
    """Write 36 hours of one post."""
    header = "Site,Parameter,Date (LT),Year,Month,Day,Hour,NowCast Conc.,AQI,AQI Category,Raw Conc.,Conc. Unit,Duration,QC Name\n"
    rows = [
        f"Beijing,PM2.5 - Principal,2013-03-{n // 24 + 1:02d} {n % 12 or 12:02d}:00 {'AM' if n % 24 < 12 else 'PM'},"
        f"2013,03,{n // 24 + 1:02d},{n % 24:02d},40.0,112,Moderate,{50.0 + n},UG/M3,1 Hr,{'Invalid' if n % 9 == 8 else 'Valid'}\n"
        for n in range(36)
    ]
    path.write_text(header + "".join(rows))


def write_hong_kong(path: Path) -> None:
    """Write two days of one station, below remarks."""
    rows = [
        f"{n // 24 + 1}/1/2017,{n % 24 + 1:02d},CENTRAL,{50 + n},{'N.A.' if n == 3 else 20 + n},47,71,{10 + n},40,{n % 5}\n"
        for n in range(48)
    ]
    header = "\ufeffRemarks:\n1. CO in 10 ug/m3\n\nDATE,HOUR,STATION,CO,FSP,NO2,NOX,O3,RSP,SO2\n"
    path.write_text(header + "".join(rows), encoding="utf-8")


def write_seoul(path: Path) -> None:
    """Write two days."""
    rows = [
        f"{n},2018-01-{n // 24 + 1:02d} {n % 24 + 1:02d}:00,{17 + n},{31 + n},0.0{18 + n % 9},0.021,{'-' if n == 7 else 0.4},0.005\n"
        for n in range(48)
    ]
    path.write_text(
        ",일시,초미세먼지,미세먼지,오존,이산화탄소,일산화탄소,아황산가스\n" + "".join(rows), encoding="utf-8"
    )


def write_taiwan(path: Path) -> None:
    """Write 36 hours of one station, a row an hour."""
    rows = [
        f"2013-01-{n // 24 + 1:02d} {n % 24:02d}:00:00,{8 + n / 10},0.45,1.0,23.0,{21 + n},110.0,{42 + n},{'' if n % 4 else 0.2},"
        f"{52 + n},15.0,{78 + n},3.3\n"
        for n in range(36)
    ]
    header = "time,AMB_TEMP,CO,NO,NO2,O3,PM10,PM2.5,RAINFALL,RH,SO2,WIND_DIREC,WIND_SPEED\n"
    path.write_text(header + "".join(rows))


def write_taiwan_as_published(path: Path) -> None:
    """Write two days of one station, a row a day and quantity."""
    rows = [
        f"2014/1/{day},Puzi,{item},"
        + ",".join("NR" if item == "RAINFALL" else f"{14 + (n + day) % 7}" for n in range(24))
        + "\n"
        for day in (1, 2)
        for item in _ITEMS
    ]
    path.write_text("date,observatory,item," + ",".join(map(str, range(24))) + "\n" + "".join(rows))


def write_isd(path: Path) -> None:
    """Write a day of one station, every third record without a METAR."""
    lines = []
    for n in range(24):
        body = (
            f"5451109999920130301{n:02d}004+40080+116585FM-15+0035ZBAA V0200201N00101"
            f"9999999N0180001N1-00{38 + n}1-00791102601ADDMA1102511102181MW1101"
        )
        metar = f"METAR ZBAA 01{n:02d}00Z 27004MPS 1000 BR NSC M03/M06 Q1026 NOSIG"
        body += f"REMMET{len(metar):03d}{metar};" if n % 3 else ""
        lines.append(f"{len(body) - 101:04d}{body}\n")
    path.write_text("".join(lines))
