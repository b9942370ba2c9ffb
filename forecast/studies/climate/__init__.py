"""Climatology of a city: daily statistics of a year, episodes and trends."""
