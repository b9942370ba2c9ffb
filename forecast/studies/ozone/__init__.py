"""Ozone formation: weekday effect, temperature response, and reactivity of volatile organic compounds."""
