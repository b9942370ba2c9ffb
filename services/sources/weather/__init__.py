"""Weather sources: GFS, ECMWF open data, ERA5, Open-Meteo and a folder, behind one interface."""
