"""From observations and weather to a forecast, its daily products and its verification."""
