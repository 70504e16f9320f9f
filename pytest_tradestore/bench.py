"""What one run of the suite shares between its checks: the settings, and evidence that several checks judge."""

from pytest_tradestore.settings import Settings


class Bench:
    """Makes each piece of evidence once and keeps it for the checks that come later."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
