"""A first configuration, and an adapter or a kit where one is needed, for a store that the suite does not know yet."""
