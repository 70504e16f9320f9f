"""What must not stand in a log: the names under which programs use ``core.sanitising``."""

from reference_store.core.sanitising import REDACTED, SENSITIVE, Sanitising, is_sensitive, sanitize_for_logging

__all__ = ["REDACTED", "SENSITIVE", "Sanitising", "is_sensitive", "sanitize_for_logging"]
