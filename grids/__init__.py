"""The map of the world: cities, the data contract, readers and sampling."""

# Before eccodes: it brings a PROJ library of its own, and the process crashes at its end where that is loaded first.
import pyproj  # noqa: F401
