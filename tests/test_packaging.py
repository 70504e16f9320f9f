"""What is installed: the packages, nothing else on anybody's path, and a plugin that works anywhere."""

import os
import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


def test_every_package_is_listed():
    listed = set(tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])

    assert listed == set(packages())


def packages():
    for top in ("pytest_tradestore", "reference_store"):
        yield from (".".join(path.parent.relative_to(TOP).parts) for path in (TOP / top).rglob("__init__.py"))
    yield "pytest_tradestore.conformance"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy of the tree, so that nothing is left behind in the tree."""
    here = tmp_path_factory.mktemp("wheel")
    tree = here / "tree"
    tree.mkdir()
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "pytest_tradestore",
        "conformance",
        "reference_store",
        "tests",
    ):
        (tree / name).symlink_to(TOP / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(here), str(tree))
    (built,) = here.glob("*.whl")
    return built


def run(*command, cwd=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_the_packages_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    info = re.compile(r"pytest_tradestore-[^/]+\.dist-info/")
    files = {name for name in names if not info.match(name)}
    folders = {name.rpartition("/")[0].replace("/", ".") for name in files}
    assert folders == set(packages())
    assert {"pytest_tradestore/py.typed", "reference_store/py.typed"} <= files
    assert {name for name in files if not name.endswith(".py")} == {
        "pytest_tradestore/py.typed",
        "pytest_tradestore/report/schema/report-1.json",
        "pytest_tradestore/report/html/page.css",
        "pytest_tradestore/report/html/page.js",
        "reference_store/py.typed",
    }
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_every_module_of_the_tree_is_in_the_wheel(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())

    for top, installed in (("pytest_tradestore",) * 2, ("conformance", "pytest_tradestore/conformance")):
        for path in (TOP / top).rglob("*.py"):
            assert f"{installed}/{path.relative_to(TOP / top).as_posix()}" in names


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the python of an environment with the wheel in it, and with this environment's other packages."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, symlinks=True, with_pip=False)
    python = home / "bin" / "python"
    site = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    zipfile.ZipFile(wheel).extractall(site)
    # Dependencies only: a link to each, except to this very distribution.
    for entry in Path(pytest.__file__).parents[1].iterdir():
        if "tradestore" not in entry.name and "reference_store" not in entry.name and entry.suffix != ".pth":
            target = site / entry.name
            if not target.exists():
                target.symlink_to(entry)
    return str(python)


@pytest.mark.proof
def test_the_wheel_works_in_an_empty_directory(installed, tmp_path):
    listing = run(
        installed,
        "-m",
        "pytest",
        "--tradestore-conformance",
        "--tradestore-store",
        "reference",
        "--collect-only",
        "-q",
        cwd=tmp_path,
    )

    assert "tradestore/reference-documents/ATOM-1[documents]" in listing
    where = run(installed, "-c", "import pytest_tradestore.conformance as c; print(c.__file__)", cwd=tmp_path).strip()
    assert where.endswith("site-packages/pytest_tradestore/conformance/__init__.py")


def test_the_wheel_puts_no_module_named_conformance_on_the_path(installed, tmp_path):
    find = "import importlib.util as u; print([u.find_spec(n) for n in ('conformance', 'docs')])"

    assert run(installed, "-c", find, cwd=tmp_path).strip() == "[None, None]"


def test_a_checkout_on_the_path_finds_the_suite_beside_the_package(tmp_path):
    program = (
        "import sys\n"
        f"sys.path.insert(0, {str(TOP)!r})\n"
        "sys.meta_path[:] = [finder for finder in sys.meta_path if 'editable' not in repr(finder)]\n"
        "import pytest_tradestore.conformance as c; print(c.__file__)"
    )

    assert run(sys.executable, "-c", program, cwd=tmp_path).strip() == str(TOP / "conformance" / "__init__.py")


def test_the_plugin_is_named_as_pytest_finds_it():
    from importlib.metadata import entry_points

    (found,) = (e for e in entry_points(group="pytest11") if e.name == "tradestore")
    assert found.value == "pytest_tradestore.plugin"


def test_the_first_block_of_the_readme_is_the_two_commands():
    block = re.search(r"```sh\n(.*?)```", (TOP / "README.md").read_text(), re.S).group(1).splitlines()

    assert len(block) == 2
    assert block[0] == "./run pytest --tradestore-conformance --tradestore-store reference"
