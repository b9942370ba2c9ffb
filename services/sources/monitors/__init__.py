"""Sources of monitoring data, one module for each publisher, and their common interface."""
