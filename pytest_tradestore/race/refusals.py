"""Which errors are an answer to an update that was made beside others: "not now", or one that the store declares.

No fault is injected here and every call is correct, so a healthy store has no other reason to refuse one.
"""

import re

_IDENTITIES = re.compile(r"\d{12,}")
_NAMES = ("timeout", "timedout", "locked", "busy", "wouldblock", "blockingio", "again")
_TEXTS = ("timed out", "locked", "busy", "in use", "try again", "unavailable", "would block", "deadlock avoided")
_PLAIN = ("exception", "oserror", "runtimeerror", "operationalerror")
"""Types whose name does not tell what is the matter."""
_BY_DEFAULT = (ValueError, OSError, Exception, BaseException)
"""Types that stand for damage and faults of any kind: an error that counts by one of them alone is no answer here."""


def told(error: BaseException, root: str) -> str:
    """Return an error in words, without what differs between two runs: the root, and identities of threads."""
    return _IDENTITIES.sub("#", f"{type(error).__name__}: {error}".replace(root, "<root>")).removesuffix(": ")


def means_not_now(words: str) -> bool:
    """Say whether an error, as ``Type: message``, is that of a caller who waited and was not let in."""
    name, _, message = words.lower().partition(":")
    return any(word in name for word in _NAMES) or (name in _PLAIN and any(text in message for text in _TEXTS))


def is_an_answer(error: BaseException, words: str, declared: tuple[type[BaseException], ...]) -> bool:
    """Say whether a store that declares these types of errors may give an update this one because others are there.

    A FileNotFoundError, because another caller has renamed the temporary file that both use, is none: the update is
    gone, and the caller can do nothing about it.
    """
    if not isinstance(error, declared):
        return False
    if type(error) is Exception:
        return True  # no library raises it: the store does, and says that it does
    return means_not_now(words) or isinstance(error, tuple(type_ for type_ in declared if type_ not in _BY_DEFAULT))
