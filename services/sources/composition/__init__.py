"""Publishers of chemistry models: forecasts of PM2.5 and ozone, as issued."""
