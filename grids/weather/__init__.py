"""Gridded weather: readers into the contract, sampling at cities, and spreading city values over a grid."""
