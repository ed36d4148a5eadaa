"""Hold the rules that tie keys together, within a file and across files.

They judge the values as read, not the models, so that a fault elsewhere in a file does not hide another: a key that is
absent or of a wrong type has its own violation already and is passed over here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TypeGuard

from config.documents import Document, KeyPath, value_at
from config.engine import SIMULATED_ACCOUNT
from config.mode import MODE_VARIABLE, TradingMode
from config.violations import Violation, key_path, nearest, shown

RISK, BOOKS, STRATEGIES, UNIVERSE = "risk_management.yaml", "books.yaml", "strategies.yaml", "universe.yaml"
SHUTDOWN, ALERTS = "shutdown.yaml", "alerts.yaml"

ORDERED: dict[str, tuple[tuple[str, str], ...]] = {
    RISK: (
        ("max_daily_loss", "max_total_drawdown"),
        ("position_size.min", "position_size.base"),
        ("position_size.base", "position_size.max"),
        ("position_size.min", "position_size.max"),
        ("order_value.min", "order_value.max"),
        ("order_value.min", "position_size.min"),
        ("position_size.max", "order_value.max"),
        ("order_value.max", "hard_limits.max_order_value"),
        ("exposure.symbol", "exposure.sector"),
        ("exposure.sector", "exposure.gross"),
        ("exposure.net", "exposure.gross"),
        ("max_daily_loss", "halt.daily_loss"),
        ("max_total_drawdown", "halt.drawdown"),
        ("halt.daily_loss", "halt.drawdown"),
        ("max_portfolio_heat", "halt.heat"),
        ("halt.failures.window_min", "halt.failures.window"),
    ),
    "retry.yaml": tuple(
        (f"{name}.first_delay_s", f"{name}.max_delay_s")
        for name in (
            "default",
            "broker_connection",
            "order_placement",
            "market_data",
            "position_updates",
            "alerts",
        )
    ),
}
"""Pairs of keys of which the first must not exceed the second."""

SHARE_TOLERANCE = 1e-9


class Rules:
    """Apply every rule to the documents of one configuration."""

    def __init__(self, documents: Mapping[str, Document], mode: TradingMode, directory: Path | None) -> None:
        """Take the documents by file name; `directory` is where relative paths in them start."""
        self.documents = documents
        self.mode = mode
        self.directory = directory

    def violations(self) -> Iterator[Violation]:
        """Yield what every rule finds."""
        for rule in (
            self.order,
            self.warnings,
            self.books,
            self.instances,
            self.universe,
            self.files,
            self.stopping,
            self.channels,
            self.leases,
            self.live,
        ):
            yield from rule()

    def at(self, file: str, *path: str | int) -> object:
        """Return the value at `path`, None where there is none."""
        return value_at(self.documents[file].data, path)

    def items(self, file: str, key: str) -> list[tuple[int, dict[str, object]]]:
        """Return the entries of a list that are mappings, each with its position."""
        value = self.at(file, key)
        return (
            [(i, v) for i, v in enumerate(value) if isinstance(v, dict)] if isinstance(value, tuple) else []
        )

    def fault(self, file: str, path: KeyPath, found: str, allowed: str) -> Violation:
        """Return a violation with its line."""
        return Violation(file, key_path(path), found, allowed, self.documents[file].line(path))

    def order(self) -> Iterator[Violation]:
        """Compare the pairs that have an order."""
        for file, pairs in ORDERED.items():
            for low, high in pairs:
                path = tuple(low.split("."))
                a, b = self.at(file, *path), self.at(file, *high.split("."))
                if is_number(a) and is_number(b) and a > b:
                    yield self.fault(file, path, shown(a), f"must not exceed {high} (which is {shown(b)})")

    def warnings(self) -> Iterator[Violation]:
        """Demand heat warnings that rise."""
        levels = self.at(RISK, "heat_warnings")
        levels = levels if isinstance(levels, tuple) else ()
        for i, (a, b) in enumerate(pairwise(levels)):
            if is_number(a) and is_number(b) and a >= b:
                allowed = f"must be above the level before it ({shown(a)})"
                yield self.fault(RISK, ("heat_warnings", i + 1), shown(b), allowed)

    def books(self) -> Iterator[Violation]:
        """Check ids, shares and votes of the books, and that instances and books name each other."""
        books = self.items(BOOKS, "books")
        yield from self.unique(BOOKS, "books", books)
        total = sum(share for _, book in books if is_number(share := book.get("share")))
        if total > 1 + SHARE_TOLERANCE:
            yield self.fault(
                BOOKS, ("books",), f"shares that add up to {total:g}", "the shares must add up to at most 1"
            )
        for i, book in books:
            names = book.get("strategies")
            votes, rule = book.get("min_votes"), book.get("rule")
            if not isinstance(names, tuple) or not is_number(votes):
                continue
            here = ("books", i, "min_votes")
            if rule == "vote" and votes > len(names) > 0:
                yield self.fault(
                    BOOKS, here, shown(votes), f"allowed: up to {len(names)}, the book's strategies"
                )
            if rule == "independent" and votes != 1:
                yield self.fault(BOOKS, here, shown(votes), "must be 1 where the rule is independent")

    def instances(self) -> Iterator[Violation]:
        """Demand that each instance has one id of its own and belongs to exactly one book."""
        instances = self.items(STRATEGIES, "strategies")
        yield from self.unique(STRATEGIES, "strategies", instances)
        ids = {name: i for i, item in instances if isinstance(name := item.get("id"), str)}
        called: Counter[str] = Counter()
        for i, book in self.items(BOOKS, "books"):
            names = book.get("strategies")
            for n, name in enumerate(names if isinstance(names, tuple) else ()):
                if not isinstance(name, str):
                    continue
                called[name] += 1
                here = ("books", i, "strategies", n)
                if name not in ids and ids:
                    allowed = f"{nearest(name, ids)}{STRATEGIES} has: {', '.join(ids)}"
                    yield self.fault(BOOKS, here, shown(name), allowed)
                elif called[name] > 1:
                    yield self.fault(
                        BOOKS, here, f"{name!r} again", "an instance belongs to exactly one book"
                    )
        if self.items(BOOKS, "books"):
            for name, i in ids.items():
                if name not in called:
                    allowed = f"name it in a book ({BOOKS}) or remove it: no book trades it"
                    yield self.fault(STRATEGIES, ("strategies", i, "id"), shown(name), allowed)

    def unique(self, file: str, key: str, items: list[tuple[int, dict[str, object]]]) -> Iterator[Violation]:
        """Demand that no two entries share an id."""
        first: dict[str, int] = {}
        for i, item in items:
            name = item.get("id")
            if isinstance(name, str) and first.setdefault(name, i) != i:
                allowed = f"each id once; {key}[{first[name]}] has it already"
                yield self.fault(file, (key, i, "id"), shown(name), allowed)

    def universe(self) -> Iterator[Violation]:
        """Demand the three profiles that symbols imply, profiles that exist, and no symbol twice."""
        profiles = self.at(UNIVERSE, "profiles")
        symbols = self.at(UNIVERSE, "symbols")
        if isinstance(profiles, dict):
            for kind in ("equity", "spot", "perpetual"):
                profile = profiles.get(kind)
                if profile is None:
                    yield self.fault(
                        UNIVERSE, ("profiles", kind), "nothing", "required: symbols imply this profile"
                    )
                elif isinstance(profile, dict) and profile.get("kind") != kind:
                    found = shown(profile.get("kind"))
                    yield self.fault(
                        UNIVERSE, ("profiles", kind, "kind"), found, f"must be {kind} in this profile"
                    )
            for symbol, listing in symbols.items() if isinstance(symbols, dict) else ():
                name = listing.get("profile") if isinstance(listing, dict) else None
                if isinstance(name, str) and name not in profiles:
                    allowed = f"{nearest(name, profiles)}profiles: {', '.join(profiles)}"
                    yield self.fault(UNIVERSE, ("symbols", symbol, "profile"), shown(name), allowed)
        default = self.at(UNIVERSE, "default")
        for i, symbol in enumerate(default if isinstance(default, tuple) else ()):
            if symbol in default[:i]:  # type: ignore[index]
                yield self.fault(UNIVERSE, ("default", i), f"{symbol!r} again", "each symbol once")

    def files(self) -> Iterator[Violation]:
        """Demand that the Python files exist which instances name."""
        for i, item in self.items(STRATEGIES, "strategies"):
            name = item.get("file")
            if (
                isinstance(name, str)
                and "\0" not in name
                and not strategy_file(name, self.directory).is_file()
            ):
                path = strategy_file(name, self.directory)
                yield self.fault(STRATEGIES, ("strategies", i, "file"), shown(name), f"no such file: {path}")

    def stopping(self) -> Iterator[Violation]:
        """Refuse what a stop cannot do: close positions in a replay, or leave open ones without their stops (C3)."""
        if self.at(SHUTDOWN, "close_positions") is True:
            allowed = (
                "must be false in this version: in a replay no bar follows a stop, so that orders which close "
                "positions would fill after the resume only"
            )
            yield self.fault(SHUTDOWN, ("close_positions",), "true", allowed)
        if self.at(SHUTDOWN, "keep_protective_stops") is False:
            allowed = (
                "must be true unless positions are closed: an open position is never left without its stop"
            )
            yield self.fault(SHUTDOWN, ("keep_protective_stops",), "false", allowed)

    def channels(self) -> Iterator[Violation]:
        """Demand that no two channels share an id."""
        yield from self.unique(ALERTS, "channels", self.items(ALERTS, "channels"))

    def leases(self) -> Iterator[Violation]:
        """Yield a lease that one late pulse would end."""
        file = "engine.yaml"
        lease_s = self.at(file, "supervision", "lease_s")
        interval_s = self.at(file, "supervision", "pulse_interval_s")
        if is_number(lease_s) and is_number(interval_s) and lease_s < 2.0 * interval_s:
            allowed = f"at least two pulses: 2 x pulse_interval_s (which is {shown(interval_s)})"
            yield self.fault(file, ("supervision", "lease_s"), shown(lease_s), allowed)

    def live(self) -> Iterator[Violation]:
        """Refuse in LIVE what only replays and simulations may have."""
        if self.mode is not TradingMode.LIVE:
            return
        sessions = self.at(RISK, "halt", "resume_after_sessions")
        if is_number(sessions) and sessions != 0:
            allowed = f"must be 0 while {MODE_VARIABLE} is LIVE: there a person ends a halt"
            yield self.fault(RISK, ("halt", "resume_after_sessions"), shown(sessions), allowed)
        account = self.at("engine.yaml", "account", "id")
        if account == SIMULATED_ACCOUNT:
            allowed = f"name the account to trade while {MODE_VARIABLE} is LIVE"
            yield self.fault("engine.yaml", ("account", "id"), shown(account), allowed)


def strategy_file(name: str, directory: Path | None) -> Path:
    """Return the path of a strategy's file; a relative one starts at the configuration directory."""
    return (directory or Path.cwd()) / name


def is_number(value: object) -> TypeGuard[float]:
    """Say whether `value` is a finite number, which true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
