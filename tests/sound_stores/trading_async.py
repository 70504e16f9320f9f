"""The trading stores with every method awaited, through a thread per call."""

import asyncio

from tests.sound_stores import trading
from tests.sound_stores.plain_aiofiles import whole


def awaited(make):
    """Return a store class like ``make`` whose methods are coroutines."""

    def opened(self, root):
        self._store = make(root)

    members = {name: _method(name) for name in dir(make) if not name.startswith("_") and callable(getattr(make, name))}
    return type(f"Awaited{make.__name__}", (), {"__doc__": make.__doc__, "__init__": opened} | members)


def _method(name):
    @whole
    async def method(self, *arguments, **options):
        return await asyncio.to_thread(getattr(self._store, name), *arguments, **options)

    return method


AwaitedData = awaited(trading.PlainData)
AwaitedJobs = awaited(trading.PlainJobs)
AwaitedRuns = awaited(trading.PlainRuns)
