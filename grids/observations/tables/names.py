"""What the header of a table usually calls its columns, in English, Chinese, Japanese and Korean."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from hazecast.grids.observations.tables.units import MEANINGS, unit_named

_NAMES: dict[str, str] = {
    "station": """station locationid sitenum samplingpoint samplingpointid stationid stationcode stationno siteid sitecode site code id 站点编号 站点编码 站点代码 站点号 监测点编码
        监测点编号 测点编码 测点编号 点位编码 点位编号 站号 区站号 站码 编号 編號 測站編號 測站代碼 測定局コード 測定局番号 局コード
        局番 局番号 測定局id 測定局 測站 站点 监测点 监测站 测点 点位 局 측정소코드 측정소 지점번호""",
    "name": "name location locationname stationname sitename 站点名称 站名 监测点名称 测点名称 点位名称 監測站名稱 測站名稱 測定局名 測定局名称 局名 측정소명 지점명",
    "time": """time timegmt timeutc datetime timestamp timepoint obstime observationtime datatime 时间 日期时间 监测时间 观测时间 数据时间
        发布时间 采样时间 時間 日時 測定日時 観測日時 年月日時 監測時間 資料時間 日期時間 时刻 측정일시 일시 관측일시 측정시간""",
    "date": "date dategmt dateutc 測定年月日 年月日 日期 年月日 日付 測定日 観測日 監測日期 监测日期 观测日期 날짜 측정일 측정일자",
    "start": """start starttime startdate from fromdate fromtime begin begintime datetimebegin datetimestart timefrom 开始时间 起始时间
        開始時刻 開始日時 開始時間""",
    "end": """end endtime enddate to todate totime datetimeend timeto timeend 结束时间 终止时间 終了時刻 終了日時 結束時間""",
    "hour": "hour hr hh 小时 小時 时 時 時刻 时次 시",
    "year": "year yyyy 年 年份 연도",
    "month": "month 月 月份",
    "day": "day 日",
    "variable": "variable parametername parameter pollutant item type 项目 監測項目 监测项目 监测因子 因子 要素 污染物 測定項目 項目 測項 항목 측정항목",
    "value": "value samplemeasurement 值 数值 监测值 監測值 浓度 濃度 測定値 値 concentration conc 측정값 농도",
    "unit": "unit units unitsofmeasure 单位 單位 単位 단위",
    "pm25": "pm25 pm25localconditions pm2p5 fineparticulatematter 细颗粒物 細懸浮微粒 细颗粒 微小粒子状物質 微小粒子状物質pm25 fsp 초미세먼지 초미세먼지pm25",
    "pm10": "pm10 可吸入颗粒物 懸浮微粒 rsp 미세먼지 미세먼지pm10",
    "o3": "o3 ozone 臭氧 オゾン ox 光化学オキシダント 오존",
    "no2": "no2 nitrogendioxide 二氧化氮 二酸化窒素 이산화질소",
    "so2": "so2 sulfurdioxide sulphurdioxide 二氧化硫 二酸化硫黄 二酸化いおう 아황산가스 이산화황",
    "co": "co carbonmonoxide 一氧化碳 一酸化炭素 일산화탄소",
    "relative_humidity": "rh humidity relativehumidity relhum humi hum 湿度 相对湿度 相対湿度 相對濕度 濕度 습도 상대습도",
    "temperature": "temp temperature airtemperature airtemp ambtemp t2m 气温 温度 環境温度 環境溫度 环境温度 氣溫 溫度 気温 기온",
    "dew_point": "dewp dewpoint dewpointtemperature td d2m 露点 露点温度 露點 露點溫度 이슬점 이슬점온도",
    "wind_speed": "ws windspeed windspd wspd wspm 风速 風速 풍속",
    "wind_direction": "wd winddirection winddir winddirec wdir 风向 風向 풍향",
    "pressure": "pres pressure stationpressure airpressure sp 气压 气压值 大气压 本站气压 現地気圧 気圧 氣壓 현지기압",
    "precipitation": "rain rainfall precip precipitation prec 降水 降水量 降雨量 雨量 강수량",
    "visibility": "vis visibility 能见度 能見度 視程 水平能见度 시정",
}  # fmt: skip
_MEANING = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}
# Characters of these names beyond ASCII.
VOCABULARY = frozenset(c for name in _MEANING for c in name if ord(c) > 0x2E80)
# Words that say no more than that a value is of an hour.
_HOURLY = re.compile(
    r"(?:浓度|濃度|실시간|实时|實時|小时值|小时均值|小时|1小时|1小时平均|1h|_1h|hourly|avg|mean|平均)+$"
)
# The same in brackets, where a longer time, a statistic or an index may stand as well.
_HOUR_BRACKETED = re.compile(
    r"(?:(?:1|一|per)?-?(?:小时|小時|時間|시간|hours?|hr|h)|hourly|实时|實時|real-?time)(?:平均|滑动平均|均值|值|値|浓度|濃度|average|avg|mean|value|values)*"
)
# The formula beside a name in words, as in 二氧化硫(SO2)浓度.
_FORMULA = re.compile(r"(?<=\S)\s*[(\[]\s*(pm2\.?5|pm10|o3|no2|so2|co)\s*[)\]]")
_AFTER_BRACKET = re.compile(r"(?<=[)\]}】])\s*[^()\[\]{}【】]+$")
_BRACKETED = re.compile(r"^(?P<name>.*?)[(\[{【](?P<unit>[^()\[\]{}【】]*)[)\]}】]\s*$")
_AFTER = re.compile(r"^(?P<name>[^/,]+?)\s*[/,]\s*(?P<unit>.+)$")
_UNDERSCORED = re.compile(
    r"^(?P<name>.+?)[_\s](?P<unit>u?g_?m3|ug/m3|mg/m3|ppb|ppm|degc|c|k|pct|percent|hpa|pa|mm|m|km|ms|m/s)$"
)


class Named(NamedTuple):
    """What a header's cell says: a meaning, and the unit that it states or "". A bracket that is no unit stands for one as it is."""

    meaning: str
    unit: str


def named(text: str) -> Named | None:
    """Return what a cell of a header means; None where the name isn't known.

    Parameters
    ----------
    text : str
        In any case, with its unit in brackets, after a slash or at the end, or without one.

    Returns
    -------
    Named or None

    Examples
    --------
    >>> named("PM2.5(μg/m³)"), named("气温(℃)"), named("Station Code"), named("PM2.5_24h")
    (Named(meaning='pm25', unit='ug/m3'), Named(meaning='temperature', unit='degC'), Named(meaning='station', unit=''), None)
    """
    # A name may go over several lines of its cell.
    plain = " ".join(unicodedata.normalize("NFKC", text).lower().replace("μ", "u").split())
    formula = _FORMULA.search(plain)
    if formula is not None:
        rest = named(plain[: formula.start()] + plain[formula.end() :])
        return rest if rest is not None and rest.meaning == _meaning(formula[1]) else None
    plain = _without_hour(plain)
    meaning = _meaning(plain)
    if meaning is not None:
        return Named(meaning, "")
    for pattern in (_BRACKETED, _AFTER, _UNDERSCORED):
        found = pattern.match(plain)
        if found is None:
            continue
        meaning = _meaning(found["name"])
        unit = unit_named(
            {"ugm3": "ug/m3", "ug_m3": "ug/m3", "pct": "%", "ms": "m/s"}.get(found["unit"], found["unit"])
        )
        if meaning is not None and unit is not None:
            return Named(meaning, unit)
        if meaning is not None and pattern is _BRACKETED:
            # What is no unit of it may be a longer mean, a maximum or an index: the name says less than a meaning.
            return Named(meaning, found["unit"].strip() if meaning in MEANINGS else "")
    return None


def _without_hour(plain: str) -> str:
    """Return a name without what says that its values are of an hour, in brackets or behind them."""
    behind = _AFTER_BRACKET.search(plain)
    if behind is not None and _HOURLY.fullmatch(re.sub(r"[\s_\-]", "", behind[0])):
        plain = plain[: behind.start()]
    while (last := _BRACKETED.match(plain)) is not None:
        words = re.split(r"[,;、]", last["unit"])
        left = [word.strip() for word in words if not _HOUR_BRACKETED.fullmatch(word.replace(" ", ""))]
        if len(left) == len(words):
            return plain
        plain = f"{last['name']}({','.join(left)})" if left else last["name"].strip()
    return plain


def _meaning(plain: str) -> str | None:
    bare = re.sub(r"[\s_.\-:]", "", plain)
    if bare in _MEANING:
        return _MEANING[bare]
    return _MEANING.get(_HOURLY.sub("", bare))
