"""The map of the world: cities, the data contract, readers and sampling."""
