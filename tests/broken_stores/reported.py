"""Stores that say how they report damage, and show what no report explains."""

from tests.broken_stores import breaks
from tests.broken_stores.damage import SetsAside


class TellsByObject(SetsAside):
    """Shows nothing for what is damaged, and lists it among its issues: sound."""

    tradestore_damage_reported = staticmethod(lambda store: store.issues)

    def __init__(self, root):
        super().__init__(root)
        self.issues = []

    def damaged(self, key):
        self.issues.append(key)

    def get(self, key):
        try:
            return super().get(key)
        except ValueError:
            self.damaged(key)
            return None


@breaks("documents", CORR_1="shows wrong data without an error")
class ReportsAndInvents(TellsByObject):
    """reports the damage, and hands out an account with no money in it."""

    def get(self, key):
        before = len(self.issues)
        found = super().get(key)
        return {"cash": 0.0} if len(self.issues) > before else found


@breaks("documents", CORR_5="MSFT shows nothing, though nothing of it is damaged")
class ReportsAndGivesUp(TellsByObject):
    """reports one damaged file, and shows nothing at all any more."""

    def get(self, key):
        for path in self.root.glob("*.json"):
            try:
                self.read(path, key)
            except ValueError:
                self.damaged(key)
        return None if self.issues else super().get(key)
