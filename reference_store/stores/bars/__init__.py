"""Price bars: month files of Parquet, and the manifest that says which of their contents count."""
