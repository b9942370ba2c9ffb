"""Clients of the providers of weather and monitoring data, one module for each publisher."""
