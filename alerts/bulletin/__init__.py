"""The daily bulletin: from a forecast, warnings and verification to a document in HTML, PDF, text, CSV and NetCDF."""
