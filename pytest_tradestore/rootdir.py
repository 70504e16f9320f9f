"""Whether the value of an option has led pytest to another project's configuration.

pytest looks for its configuration before it knows the options of plugins. In ``--tradestore-keep kept`` it takes
``kept`` for one of the paths to test, and if there is such a path, begins to look there: the project's stores are not
found.
"""

import os
import shlex
from itertools import pairwise

import pytest

from pytest_tradestore.errors import ConfigurationError

_OURS = "--tradestore-"


def refuse_a_misled_start(config: pytest.Config) -> None:
    """Raise ConfigurationError if pytest's configuration is another one because of a value of an option of ours."""
    misled_by = _path_after_an_option_of_ours(config)
    if hasattr(config, "workerinput") or not misled_by:
        return
    from _pytest.config.findpaths import determine_setup

    option, found = config.option, (config.rootpath, config.inipath)
    try:  # there is no public way to ask this
        root, ini, *_ = determine_setup(
            inifile=option.inifilename,
            override_ini=option.override_ini,
            args=option.file_or_dir,
            rootdir_cmd_arg=option.rootdir or None,
            invocation_dir=config.invocation_params.dir,
        )
    except TypeError:  # of another pytest
        return
    if (root, ini) != found:
        (name, value), taken, right = misled_by, config.inipath or "none", ini or "none"
        raise ConfigurationError(
            f"write {name}={value}, in one word: pytest takes a path that follows an option of a plugin for one to "
            f"test, and has looked there for its configuration (took {taken} instead of {right})"
        )


def _path_after_an_option_of_ours(config: pytest.Config) -> tuple[str, str] | None:
    arguments = [*shlex.split(os.environ.get("PYTEST_ADDOPTS", "")), *map(str, config.invocation_params.args)]
    for name, value in pairwise(arguments):
        if name.startswith(_OURS) and "=" not in name and os.path.lexists(config.invocation_params.dir / value):
            return name, value
    return None
