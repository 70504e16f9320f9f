"""Whose a file of code is."""

import os
import sysconfig
from pathlib import Path

import pytest

from pytest_tradestore.origin import is_installed, is_pythons, is_somebodys

STANDARD = sysconfig.get_path("stdlib")


@pytest.mark.parametrize("folder", ["site-packages", "dist-packages"])
def test_what_is_installed_below_pythons_own_directory_is_not_pythons(folder):
    file = os.path.join(STANDARD, folder, "library", "files.py")

    assert (is_installed(file), is_pythons(file), is_somebodys(file)) == (True, False, False)


def test_the_standard_library_is_pythons_whatever_its_directory_is_called_by(tmp_path):
    (tmp_path / "python").symlink_to(STANDARD)

    assert [is_pythons(str(Path(place) / "shutil.py")) for place in (STANDARD, tmp_path / "python")] == [True, True]


def test_control_a_file_beside_it_that_is_called_alike_is_somebodys():
    assert is_somebodys(f"{STANDARD}-of-mine/shutil.py")


@pytest.mark.parametrize("made_up", ["<string>", "<frozen posixpath>", "<attrs generated init>"])
def test_code_that_is_made_up_is_nobodys(made_up):
    assert not is_somebodys(made_up)


def test_a_path_is_resolved_once_where_those_calls_are_watched(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(os.path, "realpath", lambda path: asked.append(path) or path)
    for _ in range(3):
        is_pythons(str(tmp_path / "store.py"))

    assert asked == [str(tmp_path / "store.py")]
