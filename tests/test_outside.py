"""Whose line it is that does something outside of the root: the innermost one that somebody can mend."""

import os
import sys
import sysconfig

import pytest

from pytest_tradestore.outside import of_the_store

PYTHON = sysconfig.get_path("platstdlib")


def told(place, **options):
    """Let a module at a place call us, and return which file is told."""
    code = compile("import sys\ndef call(look): return look(sys._getframe())", os.path.join(PYTHON, place), "exec")
    module = {"__name__": "a_module"}
    exec(code, module)
    return module["call"](lambda frame: of_the_store(frame, **options)).f_code.co_filename


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_a_library_that_is_installed_below_python_itself_is_told_where_it_can_be_mended(folder):
    assert told(f"{folder}/library/files.py", packages=True).endswith("library/files.py")


def test_control_a_module_of_python_itself_is_passed_over():
    assert told("shutil.py", packages=True) == __file__


@pytest.mark.parametrize("place", ["site-packages", "/somewhere/environment/lib/site-packages"])
def test_a_library_is_passed_over_wherever_it_is_installed(place):
    assert told(f"{place}/library/files.py") == __file__


def test_control_nobody_is_told_while_a_module_is_loaded():
    assert of_the_store(sys._getframe()) is not None
    code = compile("def call(look):\n return look()", "<frozen importlib._bootstrap>", "exec")
    module = {"__name__": "importlib"}
    exec(code, module)

    assert module["call"](lambda: of_the_store(sys._getframe())) is None
