"""Lists of files as input: text, CSV, JSON Lines or Parquet, instead of folders that are walked."""
