"""A run without the flag pays almost nothing: the plugin loads nothing heavy and adds nothing to the output."""

import subprocess
import sys


def loaded_after(statement):
    """Return which modules a fresh interpreter has loaded after ``statement``."""
    program = (
        f"import sys, pytest\nbefore = set(sys.modules)\n{statement}\nprint('\\n'.join(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_plugin_loads_nothing_but_the_plugin():
    assert loaded_after("import pytest_tradestore.plugin") <= {
        "pytest_tradestore",
        "pytest_tradestore.ids",
        "pytest_tradestore.plugin",
    }


def test_control_what_the_flag_loads_is_seen_by_this_measurement():
    loaded = loaded_after("import pytest_tradestore.session")

    assert "pytest_tradestore.target" in loaded and "asyncio" in loaded


def test_a_run_without_the_flag_loads_only_the_plugin(pytester):
    pytester.makepyfile(
        """
        import sys
        def test_own():
            ours = {name for name in sys.modules if name.startswith("pytest_tradestore")}
            assert {name.rpartition(".")[2] for name in ours} == {"pytest_tradestore", "plugin", "ids", "hookspecs"}
        """
    )
    result = pytester.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*tradestore conformance*")
