"""The map of the world: cities, the data contract, readers and sampling."""

# The wheels of pyproj and eccodes each hold a PROJ library of their own. Loaded after that of eccodes, pyproj (and with
# it cartopy) finds no database and the process dies; loaded first, both work. xarray loads every installed backend with
# the first file it opens, that of cfgrib and so eccodes too: nothing of Hazecast may come before this. The wheel of eccodes
# holds an SQLite as well, of 2018: loaded first, it would be that of the whole process, and can't drop a column.
import sqlite3  # noqa: F401

import pyproj  # noqa: F401
