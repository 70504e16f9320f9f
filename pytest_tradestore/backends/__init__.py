"""The servers that a store may keep its data on: started for a run, with a place of its own for each execution."""

from pytest_tradestore.backends.declared import Address, Backend, Bucket, Postgres

__all__ = ["Address", "Backend", "Bucket", "Postgres"]
