"""The service observed: metrics, requests and health."""
