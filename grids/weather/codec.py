"""eccodes, loaded after pyproj: import it from here, never by itself.

The wheels of pyproj and eccodes each hold a PROJ library of their own. Loaded after that of eccodes, pyproj (and with
it cartopy) finds no database and the process dies as it exits; loaded first, both work.
"""

# isort: off
import pyproj  # noqa: F401
import eccodes
# isort: on

__all__ = ["eccodes"]
