"""The edge of the service: what every request passes before a route sees it."""
