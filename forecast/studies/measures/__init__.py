"""Whether a measure worked: weather-normalised series, interventions, trends and change-points."""
