"""What makes ozone: weekdays, temperature, and the reactivity of volatile organic compounds."""
