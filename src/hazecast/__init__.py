"""Hazecast: air-quality forecasts and haze warnings for the partner cities of Japan and China.

Five rooms, each importing only those after it: ``services``, ``alerts``, ``forecast``, ``models``, ``grids``.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("hazecast")
except PackageNotFoundError:  # a checkout on the path, not installed
    __version__ = "0+unknown"
