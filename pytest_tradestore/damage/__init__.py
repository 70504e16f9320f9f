"""Damaged files: what a disk, a copy or a person makes of what a store wrote, and what the store makes of that."""
