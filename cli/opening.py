"""Open a session: read configuration and bars, take the state directory, and find where to go on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from cli.channels import refuse_unusable_channels
from cli.checkpoint_copy import refuse_unusable_copy
from cli.fitness import fitness
from cli.modes import refuse_other_modes
from cli.own_strategies import refuse_own_strategies
from cli.plan import EnginePlan, SessionPlan, refuse_untradable
from cli.registry import read_settings
from cli.resuming import ROLES, refuse_damaged, refuse_other_inputs, resume_at, stored_bars
from cli.trail_held import refuse_other_trail
from config.alerts import hand_over_alert_urls
from config.credentials import hand_over_audit_key
from config.settings import Settings
from config.strategy_code import strategy_code
from domain.errors import StateError
from domain.ports import Clock
from domain.strategies.registry import discover
from simulation.importing.importer import Imported, import_bars
from simulation.importing.report import ImportReport
from simulation.importing.sample import sample_path
from simulation.venue.launch import stop_venue
from storage.audit.keys import load_signer
from storage.audit.recovery import orderly_end
from storage.catalogue import write_bars
from storage.commit_group import finish_commit
from storage.latch_file import keep_persons_halt
from storage.location import Databases
from storage.state import Session, StateDirectory
from supervisor.ray_leftovers import clear_ray, ray_note


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """Hold what `breakwater run` was asked: where from and to, with what, how fast, on which runtime."""

    config: Path | None
    state: Path
    data: Path | None
    symbols: tuple[str, ...] | None
    start: date | None
    end: date | None
    speed: float
    runtime: str
    fresh: bool
    plain: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """Hold an open session: its plan, its record, the directory it owns and the report of its bars."""

    plan: EnginePlan
    stored: Session
    directory: StateDirectory
    report: ImportReport
    resumed: bool

    def close_session(self, *, bar: int, completed: bool) -> None:
        """Keep where the session stopped, and where its trail ended if that was in order."""
        kept = replace(self.stored, bar=bar, completed=completed)
        seq, head = orderly_end(self.directory.audit, load_signer().verifier)
        if seq:
            kept = replace(kept, trail_seq=seq, trail_head=head)
        self.directory.write_session(kept)


@contextmanager
def open_session(request: RunRequest, environ: dict[str, str], clock: Clock) -> Iterator[Opened]:
    """Open the session that `request` asks for and release its directory at the end.

    An audit key of the `.env` file, and the URLs that alerts go to, go into this process's environment, which the
    engine's processes inherit. Raises ConfigurationError, DataError or StateError before anything is started.
    """
    refuse_other_modes(environ)
    settings = read_settings(request.config, environ, to_trade=True)
    hand_over_audit_key(settings.credentials, os.environ)
    refuse_unusable_channels(settings)
    hand_over_alert_urls(settings.alert_urls, os.environ)
    refuse_own_strategies(settings)
    refuse_unusable_copy(settings.engine.audit.checkpoint_copy, request.state)
    directory = StateDirectory(request.state)
    try:
        imported = _take(request, settings, directory, clock)
        yield _open(request, settings, imported, directory, clock)
    finally:
        directory.release()


def _take(request: RunRequest, settings: Settings, directory: StateDirectory, clock: Clock) -> Imported:
    """Import the bars, then take `directory`: bars that are refused, or a machine that is unfit, leave it untouched."""
    with (
        TemporaryDirectory(prefix="breakwater-import-") as scratch,
        _fitness(request, settings, directory) as refuse_unfit,
    ):
        refused = Path(scratch) / "refused_bars.csv"
        imported = _bars(request, settings, refused)
        left = ray_note(directory.path)
        killed = os.path.exists(left)
        if not killed:
            refuse_unfit()
        directory.lock()
        if killed and request.runtime == "ray":
            clear_ray(left)  # it holds memory that this run may need
            refuse_unfit()
        if request.fresh:
            # What outlived a killed engine is found by files that the archive moves away.
            stop_venue(directory.path)
            clear_ray(ray_note(directory.path))
            archived = directory.archive(clock.wall_ns())
            if archived is not None:
                keep_persons_halt(archived, directory.path, int(psutil.Process().create_time() * 1e9))
        if refused.exists():
            shutil.copyfile(refused, directory.path / refused.name)
    return imported


def _fitness(
    request: RunRequest, settings: Settings, directory: StateDirectory
) -> AbstractContextManager[Callable[[], None]]:
    """Look at the machine, unless there is nothing to start: a completed session is only summed up."""
    try:
        stored = None if request.fresh else directory.session()
    except (StateError, OSError):
        stored = None  # refused in words of their own, once the directory is taken
    if stored is not None and stored.completed:
        return nullcontext(lambda: None)
    return fitness(request.runtime, settings)


def _bars(request: RunRequest, settings: Settings, kept_aside: Path) -> Imported:
    imported = import_bars(
        sample_path() if request.data is None else request.data,
        symbols=_asked(request, settings),
        start=request.start,
        end=request.end,
        instruments=settings.instrument,
        kept_aside=kept_aside,
    )
    instruments = {symbol: settings.instrument(symbol) for symbol in imported.table.symbols}
    refuse_untradable(instruments, settings.engine.account.currency)
    return imported


def _asked(request: RunRequest, settings: Settings) -> tuple[str, ...] | None:
    """Return the symbols to trade (None: all): the universe's, where neither symbols nor bars are named."""
    return settings.universe.default if request.symbols is None and request.data is None else request.symbols


def _named(settings: Settings) -> str | None:
    """Return where the configuration lies, for a halt that no engine hears: it alerts by the same channels."""
    return None if settings.directory is None else str(settings.directory)


def _new_databases(settings: Settings, directory: StateDirectory) -> Databases:
    number = directory.next_session_number()
    return Databases(template=settings.engine.storage.url, state=directory.path, session=number)


def _open(
    request: RunRequest, settings: Settings, imported: Imported, directory: StateDirectory, clock: Clock
) -> Opened:
    table, report, first = imported.table, imported.report, imported.first_trading_group
    stored = directory.session()
    bars = directory.path / "bars.parquet"
    resumed = stored is not None
    code = strategy_code(settings, discover())
    databases = directory.databases() if resumed else _new_databases(settings, directory)
    # In this order: a killed engine's last writers end, damage is refused before anything is written, and only then is
    # the commit finished that the kill left half done.
    databases.await_writers(ROLES)
    refuse_damaged(directory, databases, resumed=resumed)
    finish_commit(directory.redo)
    databases.make_places(ROLES)
    if stored is None:
        write_bars(bars, table, report.stored_notes())
        stored = Session(
            number=databases.session,
            data=table.fingerprint,
            configuration=settings.fingerprint,
            runtime=request.runtime,
            begun_ns=clock.wall_ns(),
            completed=False,
            bar=first - 1,
            first=first,
            databases=databases.template,
            code=code,
            config_directory=_named(settings),
        )
        directory.write_session(stored)
    else:
        refuse_other_inputs(stored, imported, settings, code, directory)
        refuse_other_trail(directory.audit, databases, ROLES, stored)
        first = resume_at(directory, stored, first, len(table))
        directory.write_session(stored := replace(stored, config_directory=_named(settings)))
    session = SessionPlan(number=stored.number, first=first, state_dir=directory.path, bars=bars)
    pace_s = 0.0 if request.speed == 0.0 else 1.0 / request.speed
    plan = EnginePlan(settings=settings, table=stored_bars(bars), session=session, pace_s=pace_s, code=code)
    return Opened(plan=plan, stored=stored, directory=directory, report=report, resumed=resumed)
