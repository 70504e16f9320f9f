"""Backups: generations of a whole directory of stores, in a vault on a disk or in a bucket, and back."""
