"""Lock races: controlled schedules of threads, tasks and processes, and the judgement of what their callers saw."""
