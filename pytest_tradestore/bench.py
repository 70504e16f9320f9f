"""What one run of the suite shares between its checks: the settings, and evidence that several checks judge."""

from typing import TYPE_CHECKING

from pytest_tradestore.crash.evidence import Evidence, FirstLook, first_look, gather
from pytest_tradestore.crash.workloads import Workload, workload_for
from pytest_tradestore.examination import Examined, Place, examine, offered, place_of
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.names.findings import Findings
from pytest_tradestore.race.addresses import Setting
from pytest_tradestore.race.evidence import RaceEvidence
from pytest_tradestore.race.evidence import gather as gather_races
from pytest_tradestore.settings import Settings
from pytest_tradestore.target import StoreUnderTest

if TYPE_CHECKING:
    from pytest_tradestore.damage.evidence import DamageEvidence
    from pytest_tradestore.faults.evidence import FaultEvidence
    from pytest_tradestore.faults.meanwhile import MeanwhileEvidence
    from pytest_tradestore.faults.sync_crashes import SyncEvidence
    from pytest_tradestore.leaks import Leaks
    from pytest_tradestore.network.evidence import ClientEvidence
    from pytest_tradestore.on_the_loop import Looped
    from pytest_tradestore.outside import Outside
    from pytest_tradestore.permissions import Modes
    from pytest_tradestore.rights import Kept
    from pytest_tradestore.verdict import Sighting

Races = dict[tuple[str, str, Setting], RaceEvidence]
"""What is known about races, by store, contract and setting."""


class Bench:
    """Makes each piece of evidence once and keeps it for the checks that come later."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._crashes: dict[tuple[str, str], Evidence] = {}
        self._begun: dict[tuple[str, str], FirstLook] = {}
        self._sightings: dict[tuple[str, str], dict[tuple[str, int], tuple[Sighting, ...]]] = {}
        self._races: Races = {}
        self._damage: dict[tuple[str, str], DamageEvidence] = {}
        self._faults: dict[tuple[str, str], FaultEvidence] = {}
        self._syncs: dict[tuple[str, str], SyncEvidence] = {}
        self._examined: dict[str, Examined] = {}
        self._offered: dict[tuple[str, str], frozenset[str]] = {}
        self._places: dict[tuple[str, str], Place] = {}
        self._names: dict[tuple[str, str], Findings] = {}
        self._deaths: dict[tuple[str, str], ClientEvidence] = {}
        self._spoilt: dict[tuple[str, str], ClientEvidence] = {}
        self._modes: dict[tuple[str, str], Modes] = {}

    def examined(self, store: StoreUnderTest) -> Examined:
        """Return what a store offers. Raises TargetError if it cannot be opened."""
        if store.name not in self._examined:
            self._examined[store.name] = examine(store)
        return self._examined[store.name]

    def remember(self, store: StoreUnderTest, examined: Examined) -> None:
        """Take over what has been found out about a store elsewhere."""
        self._examined[store.name] = examined

    def offered(self, store: StoreUnderTest, kit: Kit) -> frozenset[str]:
        """Return what of one contract a store offers: methods, and what else was found by trying."""
        key = (store.name, kit.name)
        if key not in self._offered:
            self._offered[key] = offered(store, kit, frozenset(self.examined(store).methods))
        return self._offered[key]

    def place(self, store: StoreUnderTest, kit: Kit) -> Place:
        """Return where a store has what one of its contracts was given."""
        key = (store.name, kit.name)
        if key not in self._places:
            self._places[key] = place_of(store, kit, self.offered(store, kit))
        return self._places[key]

    def crashes(self, store: StoreUnderTest, kit: Kit) -> Evidence:
        """Return what crashes do to one contract of a store."""
        key = (store.name, kit.name)
        if key not in self._crashes:
            begun = self._begun.pop(key, None)
            self._crashes[key] = gather(store, self.workload(store, kit), self.settings, begun)
        return self._crashes[key]

    def first_crashes(self, store: StoreUnderTest, kit: Kit) -> Evidence | None:
        """Return what crashes of the first updates break, if anything; ``crashes`` goes on from there."""
        key = (store.name, kit.name)
        if key not in self._crashes and key not in self._begun:
            self._begun[key] = first_look(store, self.workload(store, kit), self.settings)
        return self._begun[key].evidence if key in self._begun else None

    def sightings(self, store: StoreUnderTest, kit: Kit) -> "dict[tuple[str, int], tuple[Sighting, ...]]":
        """Return what real file systems show of each crash finding; nothing where none is asked."""
        if not self.settings.confirm:
            return {}
        key = (store.name, kit.name)
        if key not in self._sightings:
            from pytest_tradestore.confirm.sightings import sightings

            self._sightings[key] = sightings(store, self.crashes(store, kit), self.settings)
        return self._sightings[key]

    def races(self, store: StoreUnderTest, kit: Kit, setting: Setting) -> RaceEvidence:
        """Return what happens to one contract of a store when several callers use it at once."""
        key = (store.name, kit.name, setting)
        if key not in self._races:
            self._races[key] = gather_races(store, kit, self.offered(store, kit), setting, self.settings)
        return self._races[key]

    def known_races(self) -> Races:
        """Return what has been found out about races so far."""
        return dict(self._races)

    def adopt_races(self, found: Races) -> None:
        """Take over what another process has found out about races."""
        self._races.update(found)

    def names(self, store: StoreUnderTest, kit: Kit) -> Findings:
        """Return what one contract of a store does with identifiers."""
        key = (store.name, kit.name)
        if key not in self._names:
            from pytest_tradestore.names.evidence import gather as gather_names

            self._names[key] = gather_names(store, kit, self.settings)
        return self._names[key]

    def planted(self, store: StoreUnderTest, kit: Kit) -> Findings:
        """Return what one contract of a store does with links, pipes and directories in the place of its files."""
        from pytest_tradestore.names.evidence import gather_planted

        return gather_planted(store, kit, self.settings)

    def modes(self, store: StoreUnderTest, kit: Kit) -> "Modes":
        """Return which modes one contract of a store gives to its files."""
        key = (store.name, kit.name)
        if key not in self._modes:
            from pytest_tradestore.crash.recording import choose_recorder
            from pytest_tradestore.permissions import gather as gather_modes

            recorder, _ = choose_recorder(self.settings.recorder)
            self._modes[key] = gather_modes(store, self.workload(store, kit), recorder)
        return self._modes[key]

    def rights(self, store: StoreUnderTest, kit: Kit) -> "Kept":
        """Return whose the files of one contract of a store are once they have been replaced."""
        from pytest_tradestore.rights import gather as gather_rights

        return gather_rights(store, self.workload(store, kit))

    def looped(self, store: StoreUnderTest, kit: Kit) -> "Looped":
        """Return what one contract of a store does on the event loop."""
        from pytest_tradestore.on_the_loop import gather as gather_looped

        return gather_looped(store, self.workload(store, kit))

    def leaks(self, store: StoreUnderTest, kit: Kit) -> "Leaks":
        """Return what successful calls of one contract of a store leave behind."""
        from pytest_tradestore.leaks import gather as gather_leaks

        return gather_leaks(store, self.workload(store, kit))

    def outside(self, store: StoreUnderTest, kit: Kit) -> "Outside":
        """Return what one contract of a store changes outside of its root."""
        from pytest_tradestore.outside import gather as gather_outside

        return gather_outside(store, self.workload(store, kit))

    def damage(self, store: StoreUnderTest, kit: Kit) -> "DamageEvidence":
        """Return what one contract of a store makes of damaged files."""
        key = (store.name, kit.name)
        if key not in self._damage:
            from pytest_tradestore.damage.evidence import gather as gather_damage

            self._damage[key] = gather_damage(store, self.workload(store, kit), self.settings)
        return self._damage[key]

    def faults(self, store: StoreUnderTest, kit: Kit) -> "FaultEvidence":
        """Return what errors of the system do to one contract of a store."""
        key = (store.name, kit.name)
        if key not in self._faults:
            from pytest_tradestore.faults.evidence import gather as gather_faults

            self._faults[key] = gather_faults(store, self.workload(store, kit), self.settings)
        return self._faults[key]

    def deaths(self, store: StoreUnderTest, kit: Kit) -> "ClientEvidence":
        """Return what becomes of one contract of a store on a server when its clients die."""
        key = (store.name, kit.name)
        if key not in self._deaths:
            from pytest_tradestore.network.evidence import gather_deaths

            self._deaths[key] = gather_deaths(store, self.workload(store, kit), self.settings)
        return self._deaths[key]

    def spoilt(self, store: StoreUnderTest, kit: Kit) -> "ClientEvidence":
        """Return what one contract of a store on a server makes of requests that fail."""
        key = (store.name, kit.name)
        if key not in self._spoilt:
            from pytest_tradestore.network.evidence import gather_spoilt

            self._spoilt[key] = gather_spoilt(store, self.workload(store, kit), self.settings)
        return self._spoilt[key]

    def failed_syncs(self, store: StoreUnderTest, kit: Kit) -> "SyncEvidence":
        """Return what a power loss does to one contract of a store after a sync has failed."""
        key = (store.name, kit.name)
        if key not in self._syncs:
            from pytest_tradestore.faults.syncs import gather_syncs

            faults = self.faults(store, kit)
            self._syncs[key] = gather_syncs(store, self.workload(store, kit), self.settings, faults)
        return self._syncs[key]

    def meanwhile(self, store: StoreUnderTest, kit: Kit) -> "MeanwhileEvidence":
        """Return what crashes while a call fails, and calls that fail after a crash, do to one contract of a store."""
        from pytest_tradestore.faults.meanwhile import gather_meanwhile

        return gather_meanwhile(store, self.workload(store, kit), self.settings, self.faults(store, kit))

    def workload(self, store: StoreUnderTest, kit: Kit) -> Workload:
        """Return what is done to a store while it is recorded: the contract's workload with what the store offers."""
        return workload_for(kit, self.offered(store, kit), store.records)
