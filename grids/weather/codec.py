"""eccodes: import it from here, so that pyproj is loaded before it (see `hazecast.grids`)."""

import eccodes

__all__ = ["eccodes"]
