"""The map of the world: cities, the data contract, readers and sampling."""

# Each of the wheels of pyproj and eccodes holds a PROJ library of its own. Loaded after eccodes' one, pyproj finds
# no database and the process dies as it exits; loaded first, both work.
import pyproj as _pyproj  # noqa: F401
