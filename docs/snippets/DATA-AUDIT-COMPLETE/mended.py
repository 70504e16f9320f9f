import json
from datetime import datetime


class Store:
    def __init__(self, root):
        self.root = root

    def log_decision(self, strategy, decision):
        self._log("decisions", {"strategy": strategy, "decision": decision.model_dump(mode="json")})

    def log_order(self, strategy, order, result):
        self._log(
            "orders",
            {"strategy": strategy, "order": order.model_dump(mode="json"), "result": result.model_dump(mode="json")},
        )

    def read_decisions(self, day):
        return self._read("decisions", day)

    def read_orders(self, day):
        return self._read("orders", day)

    def _log(self, kind, line):
        with open(self._file(kind, datetime.now()), "a") as log:
            log.write(json.dumps(line) + "\n")

    def _read(self, kind, day):
        file = self._file(kind, day)
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def _file(self, kind, day):
        return self.root / f"{kind}-{day:%Y-%m-%d}.jsonl"
