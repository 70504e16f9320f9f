"""Stress for every store: ``python -m tests.stress --minutes 10``, see ``__main__``."""
