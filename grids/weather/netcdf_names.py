"""The names that variables have in NetCDF files: those that tell variable, level and statistic, and CF's standard names."""

from __future__ import annotations

# Relative humidity at 2 m: where no dew point is given, it is derived from this one.
HUMIDITY = "relative_humidity"
# Specific humidity at 2 m: likewise, with the pressure at the surface.
SPECIFIC = "specific_humidity"

# Of ECMWF's files and parameter database, of CMIP, of MERRA-2, of ERA5 as Zarr for machine learning (ARCO, WeatherBench), of DWD's ICON
# by cdo, of WRF on a regular grid, of MET Norway, and those that wgrib2 gives to instants. In lower case.
NAMES = {
    "t2m": "t2m", "2t": "t2m", "tas": "t2m", "d2m": "d2m", "2d": "d2m", "tdps": "d2m", "r2": HUMIDITY, "2r": HUMIDITY,
    "hurs": HUMIDITY, "u10": "u10", "10u": "u10", "uas": "u10", "v10": "v10", "10v": "v10", "vas": "v10", "sp": "sp",
    "ps": "sp", "blh": "blh", "tcc": "tcc", "clt": "tcc", "tp": "tp", "pr": "tp", "ssrd": "ssrd", "rsds": "ssrd",
    "huss": SPECIFIC, "2sh": SPECIFIC, "sh2": SPECIFIC, "qv2m": SPECIFIC, "t2mdew": "d2m", "u10m": "u10", "v10m": "v10",
    "t2": "t2m", "t_2m": "t2m", "td_2m": "d2m", "relhum_2m": HUMIDITY, "u_10m": "u10", "v_10m": "v10", "clct": "tcc", "tot_prec": "tp",
    "air_temperature_2m": "t2m", "temperature_2m": "t2m", "dew_point_temperature_2m": "d2m", "dew_point_2m": "d2m",
    "relative_humidity_2m": HUMIDITY, "air_pressure_at_surface": "sp",
    "tmp_2maboveground": "t2m", "dpt_2maboveground": "d2m", "rh_2maboveground": HUMIDITY, "pres_surface": "sp",
    "ugrd_10maboveground": "u10", "vgrd_10maboveground": "v10", "hpbl_surface": "blh",
    "2m_temperature": "t2m", "2m_dewpoint_temperature": "d2m", "10m_u_component_of_wind": "u10",
    "10m_v_component_of_wind": "v10", "surface_pressure": "sp", "boundary_layer_height": "blh", "total_cloud_cover": "tcc",
    "total_precipitation": "tp", "surface_solar_radiation_downwards": "ssrd",
}  # fmt: skip
# CF standard names, version 85, that tell the variable; a coordinate must tell the height of temperature, humidity and wind.
STANDARD_NAMES = {
    "air_temperature": "t2m",
    "dew_point_temperature": "d2m",
    "relative_humidity": HUMIDITY,
    "specific_humidity": SPECIFIC,
    "eastward_wind": "u10",
    "northward_wind": "v10",
    "surface_air_pressure": "sp",
    "atmosphere_boundary_layer_thickness": "blh",
    "cloud_area_fraction": "tcc",
    "precipitation_amount": "tp",
    "precipitation_flux": "tp",
    "lwe_thickness_of_precipitation_amount": "tp",
    "lwe_precipitation_rate": "tp",
    "surface_downwelling_shortwave_flux_in_air": "ssrd",
    "integral_wrt_time_of_surface_downwelling_shortwave_flux_in_air": "ssrd",
}
# CF standard names of other quantities than those that share the names above: a variable so called is not what its name says.
OTHERS = frozenset({
    "air_pressure_at_sea_level",
    "air_pressure_at_mean_sea_level",
    "surface_temperature",
    "soil_temperature",
    "sea_surface_temperature",
    "air_potential_temperature",
    "wind_speed_of_gust",
    "convective_precipitation_amount",
    "convective_precipitation_flux",
    "snowfall_amount",
    "snowfall_flux",
    "surface_net_downward_shortwave_flux",
    "surface_upwelling_shortwave_flux_in_air",
    "surface_downwelling_longwave_flux_in_air",
})  # fmt: skip
