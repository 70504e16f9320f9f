"""The stores: one domain a module, all on the core."""
