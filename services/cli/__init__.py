"""The ``hazecast`` command."""
