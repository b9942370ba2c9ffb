"""Warnings as messages: texts in three languages, CAP 1.2, Atom and GeoJSON."""
