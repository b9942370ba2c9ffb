"""Air-quality indices: China's AQI, the United States' AQI with NowCast, and the bands of Japan, Korea, Europe and the WHO."""

from hazecast.forecast.indices.bands import Classes, DayClass, band_above, band_of, band_steps, day_classes
from hazecast.forecast.indices.breakpoints import Category, IndexResult, categories, category_of
from hazecast.forecast.indices.china import (
    ChinaStandard,
    china_aqi,
    china_daily_report,
    china_standard,
    china_standards,
    china_sub_index,
)
from hazecast.forecast.indices.us import nowcast_pm, ozone_ppm, us_aqi, us_concentration, us_sub_index

__all__ = [
    "Category",
    "ChinaStandard",
    "Classes",
    "DayClass",
    "IndexResult",
    "band_above",
    "band_of",
    "band_steps",
    "categories",
    "category_of",
    "china_aqi",
    "china_daily_report",
    "china_standard",
    "china_standards",
    "china_sub_index",
    "day_classes",
    "nowcast_pm",
    "ozone_ppm",
    "us_aqi",
    "us_concentration",
    "us_sub_index",
]
