"""What holds for every test: examples are drawn the same way in each run, and nobody leaves the working directory."""

import os

import hypothesis
import pytest

# A busy machine takes as long as it takes, and a test that fails has to fail again.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")


@pytest.fixture(autouse=True)
def working_directory():
    """Fail the test that moves, not those after it."""
    before = os.getcwd()
    yield
    try:
        assert os.getcwd() == before
    finally:
        os.chdir(before)
