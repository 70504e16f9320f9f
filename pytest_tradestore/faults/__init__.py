"""Injected input/output errors: at every call in turn that a store makes below its root."""
