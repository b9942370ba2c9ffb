"""The work of a forecast cycle: ingest, forecast, warnings, maps, bulletins and verification."""
