"""Turn settings into the values that machines take (requirements A5, B1, B4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import SHIPPED, load
from config.settings import Settings, kind_of
from domain.errors import ConfigurationError
from domain.instruments import AssetKind, Instrument
from domain.risk.limits import BookSettings, FeeSchedule, HaltPolicy, HardLimits
from tests.scenario.settings import write_config


@pytest.fixture(scope="module")
def settings() -> Settings:
    """Return the shipped configuration."""
    return load(None, {})


def with_change(directory: Path, file: str, before: str, after: str) -> Settings:
    """Return the configuration with one text of one file replaced."""
    text = (SHIPPED / file).read_text(encoding="utf-8")
    assert before in text
    (directory / file).write_text(text.replace(before, after), encoding="utf-8")
    return load(directory, {})


def test_risk_limits_have_the_defaults_of_a5(settings: Settings) -> None:
    limits = settings.risk_limits()
    assert limits._replace(version=0)._asdict() == {
        "max_daily_loss": 0.02,
        "max_total_drawdown": 0.10,
        "max_portfolio_heat": 0.25,
        "heat_warnings": (0.15, 0.20, 0.25),
        "max_single_position_risk": 0.02,
        "stop_loss_percent": 0.03,
        "position_size_min_usd": 500.0,
        "position_size_base_usd": 2_000.0,
        "position_size_max_usd": 5_000.0,
        "min_confidence": 0.6,
        "order_value_min_usd": 100.0,
        "order_value_max_usd": 10_000.0,
        "price_collar": 0.05,
        "max_open_orders_per_symbol": 4,
        "max_entries_without_fill": 20,
        "max_gross_exposure": 1.0,
        "max_net_exposure": 1.0,
        "max_sector_exposure": 0.30,
        "max_symbol_exposure": 0.10,
        "max_positions": 10,
        "halt_daily_loss": 0.05,
        "halt_drawdown": 0.15,
        "halt_heat": 0.40,
        "drawdown_protection": True,
        "mark_max_age_bars": 3,
        "version": 0,
    }
    assert settings.risk.heat_warnings == (0.15, 0.20, 0.25)


def test_halt_policy_has_the_defaults_of_b1_and_b4(settings: Settings) -> None:
    assert settings.halt_policy() == HaltPolicy(
        cooldown_s=300.0,
        resume_after_sessions=20,
        max_consecutive_failures=3,
        failure_rate=0.5,
        failure_window=20,
        failure_window_min=10,
        flattening=frozenset(),
        keep_protective_stops=True,
    )


@pytest.mark.parametrize(
    ("switches", "flattening"),
    [
        ({}, {"heat", "manual"}),
        ({"flatten_on_kill": False}, set()),
        ({"enable_kill_switch": False}, set()),
    ],
    ids=["shipped", "no flattening", "no kill switch"],
)
def test_the_triggers_that_are_named_and_no_others_close_every_position(
    tmp_path: Path, switches: dict[str, bool], flattening: set[str]
) -> None:
    named = {"kill_switch_triggers": ["heat", "manual"], **switches}
    values = {f"emergency.{name}": value for name, value in named.items()}
    settings = load(write_config(tmp_path, "risk_management.yaml", values), {})
    assert settings.halt_policy().flattening == flattening


def test_retry_has_the_table_of_b7(settings: Settings) -> None:
    retry = settings.retry
    table = {
        name: (b.attempts, b.first_delay_s, b.max_delay_s, b.base)
        for name in type(retry).model_fields
        if (b := getattr(retry, name))
    }
    assert table == {
        "default": (3, 1, 60, 2),
        "broker_connection": (5, 2, 120, 2),
        "order_placement": (3, 1, 30, 2),
        "market_data": (3, 0.5, 10, 2),
        "position_updates": (3, 1, 30, 2),
        "alerts": (3, 1, 30, 2),
    }


def test_breakers_have_the_defaults_of_b6(settings: Settings) -> None:
    for name in ("strategy", "market_data", "risk_calculation"):
        assert getattr(settings.breakers, name).terms() == (3, 300, 2)
    assert settings.breakers.quarantine_after_probes == 2


def test_the_brokers_breaker_probes_before_an_outage_halts(settings: Settings) -> None:
    """B1 halts after 60 s without a connection: 300 s untried would make each outage of a few seconds a halt."""
    breaker = settings.breakers.broker
    assert (breaker.failures, breaker.successes) == (3, 2)
    connection = settings.retry.broker_connection
    tried_s = sum(connection.first_delay_s * connection.base**n for n in range(breaker.failures - 1))
    assert tried_s + breaker.timeout_s < settings.engine.runtime.broker_lost_s


def test_default_book_votes_with_two_of_six(settings: Settings) -> None:
    names = tuple(
        f"{name}_{speed}" for name in ("momentum", "mean_reversion", "vwap") for speed in ("fast", "slow")
    )
    assert settings.book_settings() == (BookSettings("main", 1.0, "vote", 2, False, names),)
    assert settings.universe.default == ("AAPL", "FB", "GOOG", "IBM", "MSFT")


@pytest.mark.parametrize(
    ("kind", "fees"),
    [
        (AssetKind.EQUITY, FeeSchedule(0.005, 1.0, 0.01, 0.0, 2.0)),
        (AssetKind.SPOT, FeeSchedule(0.0, 0.0, 1.0, 10.0, 2.0)),
        (AssetKind.PERPETUAL, FeeSchedule(0.0, 0.0, 1.0, 10.0, 2.0)),
    ],
)
def test_fees_are_those_of_the_kind(settings: Settings, kind: AssetKind, fees: FeeSchedule) -> None:
    assert settings.fee_schedule(kind) == fees


@pytest.mark.parametrize(
    ("symbols", "lots"),
    [
        (["AAPL"], [100_000]),
        (["BTC/USD@coinbase"], [10**15]),
        (["BTC/USDT:USDT@dydx"], [10**10]),
        (["AAPL", "BTC/USDT:USDT@dydx"], [100_000, 10**10]),
    ],
)
def test_hard_limit_on_lots_follows_the_lots_of_a_unit(
    settings: Settings, symbols: list[str], lots: list[int]
) -> None:
    limits = settings.hard_limits(symbols)
    assert limits == HardLimits(
        max_order_value_usd=25_000.0,
        max_order_lots=dict(zip(symbols, lots, strict=True)),
        max_orders_per_bar=20,
    )
    assert all(type(most) is int for most in limits.max_order_lots.values())


def test_hard_limits_of_no_symbol_are_refused(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="name at least one"):
        settings.hard_limits([])


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("AAPL", AssetKind.EQUITY),
        ("BRK.B", AssetKind.EQUITY),
        ("EURUSD@oanda", AssetKind.EQUITY),
        ("BTC/USD", AssetKind.SPOT),
        ("BTC/USD@coinbase", AssetKind.SPOT),
        ("BTC/USDT:USDT", AssetKind.PERPETUAL),
        ("BTC/USD:BTC@binance", AssetKind.PERPETUAL),
        ("BTC-PERP", AssetKind.PERPETUAL),
        ("BTC-USD", AssetKind.SPOT),
        ("ETH_USDT", AssetKind.SPOT),
        ("BRK-B", AssetKind.EQUITY),
        ("BRK B", AssetKind.EQUITY),
    ],
)
def test_kind_follows_from_the_form_of_a_symbol(symbol: str, kind: AssetKind) -> None:
    assert kind_of(symbol) is kind


def test_symbol_that_nobody_listed_is_an_equity_of_sector_other(settings: Settings) -> None:
    assert settings.instrument("ZZZ") == Instrument(
        symbol="ZZZ",
        kind=AssetKind.EQUITY,
        currency="USD",
        tick=0.01,
        lots_per_unit=1,
        multiplier=1.0,
        calendar="XNYS",
        sector="other",
        settlement_sessions=1,
        shortable=True,
    )


@pytest.mark.parametrize(
    ("symbol", "currency"),
    [
        ("BTC/USD@coinbase", "USD"),
        ("XRP/ETH", "ETH"),
        ("BTC/USDT:USDT@dydx", "USDT"),
        ("BTC/USD:BTC@binance", "USD"),
    ],
)
def test_currency_of_a_pair_is_its_quote(settings: Settings, symbol: str, currency: str) -> None:
    instrument = settings.instrument(symbol)
    assert instrument.currency == currency
    assert instrument.calendar == "24/7"
    assert instrument.settlement_sessions == 0


@pytest.mark.parametrize("symbol", ["", "A B", "A\n", "A\0B", "é", "/USD", "A" * 41])
def test_text_that_is_no_symbol_is_refused(settings: Settings, symbol: str) -> None:
    with pytest.raises(ConfigurationError, match="symbol: found "):
        settings.instrument(symbol)


@pytest.mark.parametrize("symbol", ["BTC/X1", "BTC/X1@coinbase", "BTC/X1:USDT", "BTC-PERP"])
def test_pair_without_a_quote_currency_is_refused(settings: Settings, symbol: str) -> None:
    with pytest.raises(ConfigurationError, match="BASE/QUOTE"):
        settings.instrument(symbol)


@pytest.mark.parametrize(
    "symbol", ["AAPL@a/b:c", "ES=F", "BRK..B", "AAPL/", "BTC/@coinbase", "BTC/U", "BTC/:USDT"]
)
def test_form_that_nobody_knows_is_no_equity(settings: Settings, symbol: str) -> None:
    with pytest.raises(ConfigurationError, match=r"symbol: found .*universe\.yaml"):
        settings.instrument(symbol)


def test_symbol_with_an_exchanges_code_is_refused_as_futures_are_not_traded(settings: Settings) -> None:
    with pytest.raises(
        ConfigurationError, match=r"'6EH4\.XCME'.*XCME; futures are not traded.*universe\.yaml"
    ):
        settings.instrument("6EH4.XCME")


def test_symbol_with_an_exchanges_code_trades_by_the_profile_it_is_given(tmp_path: Path) -> None:
    listed = "  VOD.XLON: {sector: other, profile: equity, currency: GBP, calendar: XLON}"
    settings = with_change(tmp_path, "universe.yaml", "\nsymbols:", "\nsymbols:\n" + listed)
    instrument = settings.instrument("VOD.XLON")
    assert (instrument.kind, instrument.currency, instrument.calendar) == (AssetKind.EQUITY, "GBP", "XLON")


def test_perpetual_without_a_quote_takes_the_currency_of_its_entry(tmp_path: Path) -> None:
    listed = "  BTC-PERP: {sector: other, currency: USD}"
    settings = with_change(tmp_path, "universe.yaml", "\nsymbols:", "\nsymbols:\n" + listed)
    instrument = settings.instrument("BTC-PERP")
    assert (instrument.kind, instrument.currency, instrument.calendar) == (AssetKind.PERPETUAL, "USD", "24/7")


SECTORS = {
    "consumer_discretionary": "AZO BKNG HD LOW MCD TSLA YUM",
    "consumer_staples": "COST KO PEP WMT",
    "energy": "CVX TPL XOM",
    "financials": "AIG BAC CPAY FDS GS JPM MA MS V",
    "health_care": "MRK PFE",
    "industrials": "CAT DE FDX GE GWW LII NDSN TDG UPS",
    "technology": "AAPL IBM MSFT NVDA TDY TYL",
    "communication": "FB GOOG GOOGL",
    "utilities": "DUK SO",
}
FUNDS = ("GDX", "GLD", "IEF", "SPY", "VNQ", "VTI")


def test_every_symbol_of_the_data_sets_has_its_sector(settings: Settings) -> None:
    """32 daily and 11 minute equities, six funds, and FB and IBM of the default universe."""
    for sector, symbols in SECTORS.items():
        for symbol in symbols.split():
            assert settings.instrument(symbol).sector == sector, symbol
    assert all(settings.instrument(symbol).sector != "other" for symbol in FUNDS)
    assert len(settings.universe.symbols) == sum(len(s.split()) for s in SECTORS.values()) + 6 == 51


def test_entry_of_a_symbol_changes_its_profile(tmp_path: Path) -> None:
    after = "  IEF: {sector: bonds, profile: spot, tick: 0.05, currency: EUR, lots_per_unit: 10, shortable: false}"
    settings = with_change(tmp_path, "universe.yaml", "  IEF: {sector: bonds}", after)
    assert settings.instrument("IEF") == Instrument(
        symbol="IEF",
        kind=AssetKind.SPOT,
        currency="EUR",
        tick=0.05,
        lots_per_unit=10,
        multiplier=1.0,
        calendar="24/7",
        sector="bonds",
        settlement_sessions=0,
        shortable=False,
    )


def test_fingerprint_follows_values_and_nothing_else(tmp_path: Path, settings: Settings) -> None:
    assert len(settings.fingerprint) == 64
    told = with_change(tmp_path, "alerts.yaml", "replayed: log", "replayed: all")
    assert (told.fingerprint, told.content() == settings.content()) == (settings.fingerprint, False)
    same = with_change(tmp_path, "engine.yaml", "leverage: 1.0", "leverage: 1 # as before")
    assert same.fingerprint == settings.fingerprint
    other = with_change(tmp_path, "engine.yaml", "leverage: 1.0", "leverage: 1.5")
    assert other.fingerprint != settings.fingerprint
    secret = load(None, {"BREAKWATER_AUDIT_KEY": "0" * 64, "TRADING_MODE": "PAPER"})
    assert secret.fingerprint == settings.fingerprint


def test_version_of_the_limits_follows_the_risk_file_alone(tmp_path: Path, settings: Settings) -> None:
    version = settings.risk_limits().version
    assert 0 < version < 2**48
    assert (
        with_change(tmp_path, "engine.yaml", "leverage: 1.0", "leverage: 2").risk_limits().version == version
    )
    changed = with_change(tmp_path, "risk_management.yaml", "max_daily_loss: 0.02", "max_daily_loss: 0.01")
    assert changed.risk_limits().version != version


@pytest.mark.parametrize(
    ("word", "lockstep", "cancels"),
    [
        ("auto", True, False),
        ("auto", False, True),
        ("always", True, True),
        ("always", False, True),
        ("never", True, False),
        ("never", False, False),
    ],
)
def test_stop_cancels_entries_unless_time_stands_still(
    tmp_path: Path, word: str, lockstep: bool, cancels: bool
) -> None:
    """C3: open orders are cancelled at a stop; in lockstep replay they are as good after the resume."""
    settings = with_change(tmp_path, "shutdown.yaml", "cancel_entries: auto", f"cancel_entries: {word}")
    assert settings.shutdown.cancels_entries(lockstep) is cancels
