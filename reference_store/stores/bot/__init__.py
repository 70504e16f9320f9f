"""What a trading bot keeps: its portfolio, paper trading, strategies, tasks, the state of stocks, a strategy log."""
