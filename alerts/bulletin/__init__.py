"""The daily bulletin: from a forecast and what stands beside it to a document in HTML, PDF, text, CSV and NetCDF."""
