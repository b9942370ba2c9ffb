"""Effect of measures: weather-normalised series, interventions, trends and change points."""
