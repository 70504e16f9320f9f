"""The persistence models held against the file systems whose names they bear: ``python -m tests.kernel``."""
