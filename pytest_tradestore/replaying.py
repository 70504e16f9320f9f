"""The one item of a run with ``--tradestore-replay``: goes to that state again and shows what it breaks."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tradestore.errors import ReplayError
from pytest_tradestore.ids import PREFIX
from pytest_tradestore.report.failure import ReplayText, Told

if TYPE_CHECKING:
    from pytest_tradestore.replay import Replayed
    from pytest_tradestore.report.records import StoreFacts
    from pytest_tradestore.session import ConformanceRun
    from pytest_tradestore.target import StoreUnderTest


class StillViolated(Exception):  # noqa: N818 - a finding about a store, not an error of ours
    """The state breaks a requirement, as it did when the token was made."""


class ReplayItem(pytest.Item):
    """Replays one token."""

    token: str
    run: "ConformanceRun"
    store: "StoreUnderTest"
    facts: "StoreFacts"
    replayed: "Replayed | None" = None

    @classmethod
    def of(
        cls, session: pytest.Session, run: "ConformanceRun", token: str, store: "StoreUnderTest", facts: "StoreFacts"
    ) -> "ReplayItem":
        nodeid = f"{PREFIX}{store.name}/REPLAY[{token}]"
        made: ReplayItem = cls.from_parent(session, name=f"REPLAY[{token}]", nodeid=nodeid)
        made.run, made.token, made.store, made.facts = run, token, store, facts
        return made

    def runtest(self) -> None:
        from pytest_tradestore.replay import replay

        keep = self.config.option.tradestore_keep
        bench = self.run.bench_for(self.store, self.facts)
        where = None if keep is None else Path(self.config.invocation_params.dir, keep)
        self.replayed = replay(self.token, self.store, bench, where)
        self.user_properties.append(("tradestore_replay", "\n".join(_shown(self.replayed))))
        if self.replayed.violations:
            raise StillViolated

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, StillViolated) and self.replayed is not None:
            return ReplayText(self.replayed.violations)
        if isinstance(excinfo.value, ReplayError):
            return Told(str(excinfo.value))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.config.rootpath / self.nodeid, None, f"replay of {self.token}"


def _shown(replayed: "Replayed") -> list[str]:
    """Return what the state showed, for the end of the run."""
    broken = ", ".join(requirement for requirement, _ in replayed.violations)
    lines = [f"{replayed.token}: {'breaks ' + broken if broken else 'breaks nothing'}"]
    for title, texts in (("on disk", replayed.image), ("found", replayed.found)):
        lines += [f"  {title}: {text}" for text in texts]
    if replayed.kept:
        lines.append(f"  kept: the files as the crash left them are in {replayed.kept}")
    return lines
