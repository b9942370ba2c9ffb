"""Places: the partner governments and their forecast cities, and the positions of monitoring stations."""
