"""No identifier leads out of the reference store, or comes back as another.

That it holds every requirement about identifiers on every contract the first command of the README finds out.
"""

import pytest

from tests.benchmarks.bench_identifiers import tally

pytestmark = pytest.mark.proof


def test_no_generated_identifier_escapes_or_comes_back_as_another():
    found = tally(3000, seed=1)

    assert (found.escapes, found.changed) == ((), ())
    assert min(found.accepted, found.refused) > 300
