"""What every store stands on: atomic files, locks, groups of writers, names, seals and strict JSON."""
