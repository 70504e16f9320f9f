"""What the options, the configuration file and the project's hooks ask for: settings, stores, reports, a selection.

Whatever is wrong with them is a ConfigurationError of one sentence; no store is opened here.
"""

import contextlib
import difflib
import importlib
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_tradestore.baseline import Baseline
from pytest_tradestore.baseline import load as load_baseline
from pytest_tradestore.crash import models
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.ids import PREFIX
from pytest_tradestore.report.comparison import Earlier, load_earlier
from pytest_tradestore.report.files import KINDS
from pytest_tradestore.requirements import Profile, find, known
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import PLATFORMS, StoreUnderTest
from pytest_tradestore.waivers import Waiver
from pytest_tradestore.waivers import load as load_waivers

REFERENCE = (
    "reference-document=reference_store:SingleDocumentStore",
    "reference-documents=reference_store:DocumentStore",
    "reference-journal=reference_store:JournalStore",
    "reference-data=reference_store:FileDataStore",
    "reference-jobs=reference_store:JobStore",
    "reference-runs=reference_store:RunStore",
)
"""The bundled stores, which ``--tradestore-store reference`` stands for: each contract once."""
OTHER_FACES = (
    "reference-document-async=reference_store:AsyncSingleDocumentStore",
    "reference-documents-async=reference_store:AsyncDocumentStore",
    "reference-journal-async=reference_store:AsyncJournalStore",
    "reference-data-async=reference_store:AsyncFileDataStore",
)
"""The same stores with other faces, which ``reference-all`` stands for too."""
SMALLEST = REFERENCE[:1]
"""What is checked where nothing is registered."""
ON_POSTGRES = tuple(
    f"reference-postgres-{name}=pytest_tradestore.on_servers.postgres:{name}"
    for name in ("document", "documents", "journal", "jobs", "runs", "data")
)
"""The bundled stores on PostgreSQL, which ``reference-postgres`` stands for."""
IN_A_BUCKET = ("reference-bucket-documents=pytest_tradestore.on_servers.bucket:documents",)
"""That in a bucket, which ``reference-bucket`` stands for."""
_AWAITED_ON_SERVERS = (
    *(
        f"reference-postgres-{name}-async=pytest_tradestore.on_servers.postgres:{name}_async"
        for name in ("document", "documents", "journal", "jobs", "runs", "data")
    ),
    "reference-bucket-documents-async=pytest_tradestore.on_servers.bucket:documents_async",
)
_WORDS = {
    "reference": REFERENCE,
    "reference-all": REFERENCE + OTHER_FACES,
    "reference-postgres": ON_POSTGRES,
    "reference-bucket": IN_A_BUCKET,
    "reference-async-on-servers": _AWAITED_ON_SERVERS,
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores to check; ``self_check`` if it is the smallest bundled one, because there are no others."""

    stores: tuple[StoreUnderTest, ...]
    self_check: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A report to write at the end."""

    format: str
    path: Path


@dataclass(frozen=True, slots=True)
class Selection:
    """Which checks to run: those of the named requirements, and below the given ids; empty means all."""

    requirements: frozenset[str] = frozenset()
    ids: tuple[str, ...] = ()

    def wants_store(self, store_id: str) -> bool:
        return not self.ids or any(
            f"{store_id}/".startswith(f"{wanted.rstrip('/')}/") or wanted.startswith(f"{store_id}/")
            for wanted in self.ids
        )

    def wants(self, item_id: str, requirement: str) -> bool:
        return (not self.requirements or requirement in self.requirements) and (
            not self.ids or any(_lies_below(item_id, wanted) for wanted in self.ids)
        )


def _lies_below(item_id: str, wanted: str) -> bool:
    return item_id == wanted or item_id.startswith((f"{wanted.rstrip('/')}/", f"{wanted}["))


def settings_of(config: pytest.Config) -> Settings:
    """Return how the run is to be made."""
    profile = config.option.tradestore_profile or config.getini("tradestore_profile")
    profiles = {profile.label: profile for profile in Profile}
    if profile not in profiles:
        raise ConfigurationError(
            f"tradestore_profile in {_ini_name(config)} must be one of {', '.join(profiles)}, not {profile!r}"
        )
    if config.option.tradestore_model not in models.names():
        raise ConfigurationError(
            f"--tradestore-model: there is no persistence model {config.option.tradestore_model!r}; "
            f"choose from {', '.join(models.names())}"
        )
    return Settings(
        profile=profiles[profile],
        recorder=config.option.tradestore_recorder,
        model=config.option.tradestore_model,
        budget=Budget[config.option.tradestore_budget.upper()],
        seed=config.option.tradestore_seed,
        platforms=_platforms_of(config),
        confirm=_confirmed_on(config),
        keep=_kept_in(config),
    )


def _platforms_of(config: pytest.Config) -> tuple[str, ...]:
    named: list[str] = config.option.tradestore_platform or config.getini("tradestore_platforms")
    for name in named:
        if name not in PLATFORMS:
            place = "--tradestore-platform" if config.option.tradestore_platform else _ini_name(config)
            raise ConfigurationError(
                f"tradestore_platforms ({place}): there is no platform {name!r}; choose from {', '.join(PLATFORMS)}"
            )
    return tuple(named)


def _confirmed_on(config: pytest.Config) -> tuple[str, ...]:
    """Return the file systems on which findings are to be looked for. Raises ConfigurationError if that cannot be."""
    given = config.option.tradestore_confirm
    if given is None:
        return ()
    from pytest_tradestore.confirm.needs import MAKE, missing

    wanted = tuple(dict.fromkeys(name.strip() for name in given.split(",")))
    for name in wanted:
        if name not in MAKE:
            raise ConfigurationError(
                f"--tradestore-confirm: {name!r} is no file system that can be asked; choose from {', '.join(MAKE)}"
            )
    if lacking := list(missing(wanted)):
        raise ConfigurationError(
            f"--tradestore-confirm {given}: no file system can be asked here, {' and '.join(lacking)} missing; "
            "run it where that is there, or leave the option away: findings are then told without marks"
        )
    return wanted


def _kept_in(config: pytest.Config) -> Path | None:
    given = config.option.tradestore_keep
    if given is None:
        return None
    place = Path(config.invocation_params.dir, given)
    there = next(path for path in (place, *place.parents) if path.exists())
    if config.option.tradestore_confirm and not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        raise ConfigurationError(
            f"--tradestore-keep {given}: it cannot be made or written to; name a directory that can"
        )
    return place


def reports_of(config: pytest.Config) -> tuple[Report, ...]:
    """Return the reports to write, each to a place that can be written to as far as one can tell beforehand."""
    return tuple(_report(text, config.invocation_params.dir) for text in config.option.tradestore_report)


def waivers_of(config: pytest.Config) -> tuple[Waiver, ...]:
    """Return the waivers of the file that the option names, else the configuration file."""
    if given := config.option.tradestore_waivers:
        return load_waivers(config.invocation_params.dir / given)
    if configured := config.getini("tradestore_waivers"):
        return load_waivers((config.inipath.parent if config.inipath else config.rootpath) / configured)
    return ()


def baseline_of(config: pytest.Config) -> Baseline | None:
    """Return what an earlier run found, where the option names its report."""
    given = config.option.tradestore_baseline
    return load_baseline(config.invocation_params.dir / given) if given else None


def earlier_of(config: pytest.Config) -> Earlier | None:
    """Return the earlier run to compare this one with: what the option names, else the baseline."""
    option = config.option
    if given := option.tradestore_compare:
        return load_earlier(config.invocation_params.dir / given, "--tradestore-compare")
    if given := option.tradestore_baseline:
        return load_earlier(config.invocation_params.dir / given, "--tradestore-baseline")
    return None


def _report(text: str, start: Path) -> Report:
    kind, colon, where = text.partition(":")
    if kind not in KINDS or not colon or not where:
        raise ConfigurationError(f"--tradestore-report {text}: write {' or '.join(f'{f}:PATH' for f in KINDS)}")
    path = start / where
    if path.is_dir():
        raise ConfigurationError(f"--tradestore-report {text}: {where} is a directory; name a file")
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"--tradestore-report {text}: there is no directory {os.path.dirname(where)}; create it"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigurationError(f"--tradestore-report {text}: no permission to write there")
    return Report(kind, path)


def take_selection(config: pytest.Config) -> Selection:
    """Return which checks to run, and leave in ``config.args`` only what pytest itself is to collect.

    Ids of our items are taken out of the arguments; where no argument was given, nothing is left to collect.
    """
    requirements = frozenset(config.option.tradestore_requirement)
    if config.args_source is not config.ArgsSource.ARGS:
        config.args_source = config.ArgsSource.ARGS  # or pytest would print that it collects testpaths
        config.args = []
        return Selection(requirements)
    ids = tuple(found for found in map(_item_id, config.args) if found)
    config.args = [argument for argument in config.args if not _item_id(argument)]
    return Selection(requirements, ids)


def check_requirements(selection: Selection, waivers: Sequence[Waiver]) -> None:
    """Complain about requirements that do not exist: known only when the stores are, for they may bring their own.

    Raises ConfigurationError.
    """
    asked = [("--tradestore-requirement", requirement) for requirement in sorted(selection.requirements)]
    asked += [("tradestore_waivers", waiver.requirement) for waiver in waivers]
    for where, requirement in asked:
        if find(requirement) is None:
            near = _did_you_mean(requirement, [one.id for one in known()])
            raise ConfigurationError(
                f"{where}: there is no requirement {requirement!r}{near}; --tradestore-list shows them all"
            )


def _item_id(argument: str) -> str:
    """Return the id in an argument, or nothing if it is a path; from a subdirectory pytest prints ids with ``../``."""
    bare = re.sub(r"^(\.\.?/)+", "", argument)
    if f"{bare}/".startswith(PREFIX) and not os.path.lexists(argument.partition("::")[0]):
        return bare
    return ""


def stores_of(config: pytest.Config) -> Stores:
    """Return the stores to check, by the options, else by the configuration file and the hook, else the bundled."""
    if given := config.option.tradestore_store:
        return Stores(_distinct(_from_texts(given, "--tradestore-store", config)), self_check=False)
    configured = _from_texts(config.getini("tradestore_stores"), f"tradestore_stores in {_ini_name(config)}", config)
    if stores := _distinct([*configured, *_from_hook(config)]):
        return Stores(stores, self_check=False)
    return Stores(tuple(_from_texts(SMALLEST, "the bundled stores", config)), self_check=True)


def _from_hook(config: pytest.Config) -> list[StoreUnderTest]:
    stores = []
    for answer in config.hook.pytest_tradestore_stores(config=config):
        if not isinstance(answer, Iterable) or isinstance(answer, (str, bytes)):
            raise ConfigurationError(
                f"the hook pytest_tradestore_stores must return a list of StoreUnderTest, not {answer!r}"
            )
        for store in answer:
            if not isinstance(store, StoreUnderTest):
                raise ConfigurationError(
                    f"the hook pytest_tradestore_stores must return StoreUnderTest objects, not {store!r}"
                )
            stores.append(checked_store(replace(store, origin=store.origin or "by the hook pytest_tradestore_stores")))
    return stores


def _from_texts(texts: Sequence[str], where: str, config: pytest.Config) -> list[StoreUnderTest]:
    expanded = [spec for text in texts for spec in _WORDS.get(text, (text,))]
    return [_from_text(text, where, config) for text in expanded]


def _from_text(text: str, where: str, config: pytest.Config) -> StoreUnderTest:
    name, target, place = named_target(text, where, config)
    return checked_store(StoreUnderTest(name or place.rpartition(":")[2].rpartition(".")[2], target, origin=place))


def named_target(text: str, where: str, config: pytest.Config) -> tuple[str, Callable[..., Any], str]:
    """Return the name, if there is one, the callable and the place that ``[NAME=]MODULE:CALLABLE`` names.

    Raises ConfigurationError, with one sentence that begins with ``where`` it stands.
    """
    name, equals, place = text.strip().rpartition("=")
    module_name, _, attribute = place.partition(":")
    if not _PATH.fullmatch(module_name) or not _PATH.fullmatch(attribute) or (equals and not name):
        raise ConfigurationError(
            f"{where}: {text!r} is not of the form [NAME=]MODULE:CALLABLE, like acme.stores:JobStore"
        )
    target: Any = _module(module_name, where, config)
    for part in attribute.split("."):
        try:
            target = getattr(target, part)
        except AttributeError:
            near = _did_you_mean(part, [public for public in dir(target) if not public.startswith("_")])
            raise ConfigurationError(f"{where}: {module_name} has no {attribute!r}{near}") from None
    if not callable(target):
        raise ConfigurationError(
            f"{where}: {place} is not callable; it must be a class or function that opens the store on a directory"
        )
    return name, target, place


def checked_store(store: StoreUnderTest) -> StoreUnderTest:
    """Return ``store`` if its name fits into an id, its target can be called, and its declarations make sense."""
    if not isinstance(store.name, str) or not _NAME.fullmatch(store.name):
        raise ConfigurationError(
            f"a store cannot be named {store.name!r}: use letters, digits, '-', '_' and '.', "
            "beginning with a letter or digit"
        )
    if not callable(store.target):
        raise ConfigurationError(
            f"store {store.name!r}: its target {store.target!r} is not callable; "
            "it must be a class or function that opens the store on a directory"
        )
    store.declarations  # noqa: B018 - complains about what is wrong
    return store


def _distinct(stores: Sequence[StoreUnderTest]) -> tuple[StoreUnderTest, ...]:
    seen: dict[str, StoreUnderTest] = {}
    for store in stores:
        if store.name in seen:
            raise ConfigurationError(
                f"two stores are named {store.name!r} ({seen[store.name].origin} and {store.origin}); "
                "tell them apart with NAME=MODULE:CALLABLE"
            )
        seen[store.name] = store
    return tuple(stores)


def _module(name: str, where: str, config: pytest.Config) -> ModuleType:
    """Import a module, from the project's own directories too if it is nowhere else."""
    before = set(sys.modules)
    found = _imported(name, where)
    if isinstance(found, ModuleType):
        return found
    for half_way in set(sys.modules) - before:  # such as another project's package of the same name
        if half_way.partition(".")[0] == name.partition(".")[0]:
            del sys.modules[half_way]
    places = [str(place) for place in dict.fromkeys([config.rootpath, config.invocation_params.dir])]
    _search_also(places, config)
    found = _imported(name, where)
    if isinstance(found, ModuleType):
        return found
    raise ConfigurationError(f"{where}: there is no module named {found!r} (looked in {' and '.join(places)} too)")


def _search_also(places: Sequence[str], config: pytest.Config) -> None:
    added = [place for place in places if place not in sys.path]
    sys.path[:0] = added

    def remove() -> None:
        for place in added:
            with contextlib.suppress(ValueError):
                sys.path.remove(place)

    config.add_cleanup(remove)
    importlib.invalidate_caches()


def _imported(name: str, where: str) -> ModuleType | str:
    """Import a module; return the name of what is missing if it, or a package it lies in, does not exist."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            return error.name
        raise _import_failed(name, where, error) from None
    except (Exception, SystemExit) as error:
        raise _import_failed(name, where, error) from None


def _import_failed(name: str, where: str, error: BaseException) -> ConfigurationError:
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    frames = [f for f in frames if f.filename != __file__]
    if isinstance(error, SyntaxError) and error.filename:
        place = f" ({error.filename}:{error.lineno})"
    else:
        place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    message = f": {error}" if str(error) else ""
    return ConfigurationError(f"{where}: importing {name} raised {type(error).__name__}{message}{place}")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _ini_name(config: pytest.Config) -> str:
    return config.inipath.name if config.inipath else "the configuration"
