"""The commands of ``tradestore``, one subject a module; ``operations.command_line`` puts them together."""
