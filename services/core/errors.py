"""The errors of the service that every floor may raise or catch. Unusable input is `hazecast.grids.errors.InputError`."""


class StoreError(RuntimeError):
    """The store can't be read or written: the database is unreachable, locked or full, or a folder isn't writable."""
