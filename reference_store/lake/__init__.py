"""Bars in a Delta Lake table, on a local path or in a bucket, for more than one machine.

    store = LakeBarStore("s3://market/bars", storage_options={"AWS_REGION": "eu-central-1"})
    store.write_bars("BTC/USDT", bars)

The methods are those of a FileDataStore's bars. Any program that reads Delta reads the table. Needs the extra ``lake``.
"""

try:
    import deltalake as _deltalake  # noqa: F401 - asked for here, so that what is missing is told once, in one sentence
except ImportError as _missing:
    raise ImportError("reference_store.lake needs deltalake: pip install 'pytest-tradestore[lake]'") from _missing

from reference_store.lake.aio import AsyncLakeBarStore
from reference_store.lake.bars import LakeBarStore
from reference_store.lake.table import LakeFailure

__all__ = ["AsyncLakeBarStore", "LakeBarStore", "LakeFailure"]
