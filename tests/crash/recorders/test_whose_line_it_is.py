"""Whose line is blamed for a call: the store's, or one of its library's, and never one of what runs the suite."""

from concurrent.futures import ThreadPoolExecutor

import pluggy

from pytest_tradestore.crash.recorders.fake_locations import Lines

LOOKS = "def looks(lines): return lines.of_this_call()"
BEGINS = "def begins(hook, lines): return hook(lines=lines)"
"""What the script pytest does, which belongs to nobody; or a store that has such hooks of its own."""


def blamed(module):
    """Return what is blamed when code of that module looks, called by pluggy as pytest calls the suite."""
    names = {"__name__": module}
    exec(compile(LOOKS, f"/somewhere/site-packages/{module}.py", "exec"), names)
    names["looks"] = pluggy.HookimplMarker("looking")(names["looks"])
    manager = pluggy.PluginManager("looking")
    manager.register(type("Plugin", (), {"looks": staticmethod(names["looks"])}))
    script = {"__name__": "__main__"}
    exec(compile(BEGINS, "/somewhere/bin/pytest", "exec"), script)
    with ThreadPoolExecutor(1) as pool:  # nothing of this test stands on its stack
        return pool.submit(script["begins"], manager.hook.looks, Lines()).result()


def test_what_the_suite_does_for_itself_is_nobodys_line():
    assert blamed("pytest_tradestore") == []


def test_control_a_store_that_calls_its_library_by_a_hook_is_told_by_its_own_line():
    (line,) = blamed("library")

    assert line.function == "begins"
