"""Maps and charts: haze areas, values on a map, a city's forecast and a warning's timeline."""
