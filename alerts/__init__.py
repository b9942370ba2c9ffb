"""Rule sets, warnings, their life, and the map."""
