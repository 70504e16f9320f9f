"""All stores under stress, by name."""

from tests.stress.bot_parts import BOT_STORES
from tests.stress.parts import STORES as OWN
from tests.stress.parts import Stressed

STORES: dict[str, Stressed] = {**OWN, **BOT_STORES}
