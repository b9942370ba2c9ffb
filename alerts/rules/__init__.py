"""Rule sets: thresholds of warnings as data, which cities they apply to, and how severe a level is."""
