"""Values that the rows share."""

from datetime import datetime, timedelta

from reference_store.models import Job, PriceBar

FIRST = datetime(2026, 1, 5)  # noqa: DTZ001 - naive times are the ordinary case
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def job(number: int, turn: int = 0) -> Job:
    return Job(
        job_id=f"job-{number}", job_type="backtest", status="running", params={"symbol": "AAPL", "turn": turn, "w": 20}
    )


def bar(number: int, symbol: str = "AAPL", first: datetime = FIRST) -> PriceBar:
    close = 100 + number % 97 / 8
    return PriceBar(symbol, first + number * MINUTE, close, close + 1, close - 1, close, 1000 + number)
