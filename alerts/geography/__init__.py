"""Coastlines, borders and provinces of East Asia, as files of the package."""
