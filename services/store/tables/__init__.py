"""The tables of the store, by subject."""
