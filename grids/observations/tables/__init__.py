"""A bureau's own table: CSV, gzip, Excel or Parquet, read as a mapping file says or as its contents tell."""
