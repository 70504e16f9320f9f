"""Opens a store on a directory as any program would, looks at all of it, and prints what it saw: the suite has no part.

``python read_back.py MODULE:CLASS DIRECTORY``
"""

import importlib
import json
import sys
from pathlib import Path

KEYS = ("AAPL", "MSFT", "GOOG", "TSLA")


def seen(look):
    try:
        return json.dumps(look(), sort_keys=True, default=str)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def main(target, directory):
    module, _, name = target.partition(":")
    open_store = getattr(importlib.import_module(module), name)
    try:
        store = open_store(Path(directory))
    except Exception as error:
        print(f"opening: {type(error).__name__}: {error}")
        return
    if hasattr(store, "ack"):
        print("waiting:", seen(lambda: store.get(1000)))
        print("next put:", seen(lambda: store.put("one more")))
        print("then waiting:", seen(lambda: store.get(1000)))
        return
    for key in KEYS:
        print(f"{key}: {seen(lambda key=key: store.get(key))}")
    if hasattr(store, "keys"):
        print("keys:", seen(lambda: sorted(store.keys())))
    print("next put:", seen(lambda: store.put("AAPL", {"version": 90})))
    if hasattr(store, "close"):
        print("closing:", seen(store.close))
    try:
        store = open_store(Path(directory))
    except Exception as error:
        print(f"opening again: {type(error).__name__}: {error}")
        return
    for key in KEYS:
        print(f"then {key}: {seen(lambda key=key: store.get(key))}")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main(*sys.argv[1:])
