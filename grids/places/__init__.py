"""Places: the partner governments and their forecast cities, and where monitoring stations are."""
