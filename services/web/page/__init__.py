"""The public page: the map, the cities and the warnings in three languages, cards for other sites."""
