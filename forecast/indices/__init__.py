"""Air-quality indices: China's AQI, the United States' AQI with NowCast, and the bands of Japan and the WHO."""

from hazecast.forecast.indices.bands import DayClass, band_of, band_steps, japan_day_classes
from hazecast.forecast.indices.breakpoints import Category, IndexResult, categories, category_of
from hazecast.forecast.indices.china import (
    ChinaStandard,
    china_aqi,
    china_daily_report,
    china_standard,
    china_standards,
    china_sub_index,
)
from hazecast.forecast.indices.us import nowcast_pm, ozone_ppm, us_aqi, us_sub_index

__all__ = [
    "Category",
    "ChinaStandard",
    "DayClass",
    "IndexResult",
    "band_of",
    "band_steps",
    "categories",
    "category_of",
    "china_aqi",
    "china_daily_report",
    "china_standard",
    "china_standards",
    "china_sub_index",
    "japan_day_classes",
    "nowcast_pm",
    "ozone_ppm",
    "us_aqi",
    "us_sub_index",
]
