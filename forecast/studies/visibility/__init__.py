"""Fits of visibility to what an aerodrome or a weather station reports, and their scores."""
