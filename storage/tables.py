"""Lay out the tables of a writer's database. Prices are float64, quantities lots, cash micro-units, times UTC ns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Integer, MetaData, String, Table, Text

SCHEMA_VERSION = 2
PRODUCT = "breakwater"

metadata = MetaData()

_Key = BigInteger().with_variant(Integer(), "sqlite")
"""To SQLite an INTEGER key, of 64 bits too, is the row's own number; beside a BIGINT it keeps a second tree."""

meta = Table(
    "meta",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(128), nullable=False),
)

orders = Table(
    "orders",
    metadata,
    Column("order_ref", String(200), primary_key=True),
    Column("seq", BigInteger, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("parent_ref", String(200), nullable=False),
    Column("book", String(64), nullable=False),
    Column("symbol", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("side", String(8), nullable=False),
    Column("order_type", String(24), nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("filled_lots", BigInteger, nullable=False),
    Column("reference_price", Double, nullable=False),
    Column("stop_price", Double, nullable=False),
    Column("state", String(24), nullable=False),
    Column("bar", BigInteger, nullable=False),
    Column("connection", Integer, nullable=False),
    Column("text", Text, nullable=False),
)
"""Hold each order's newest state; `seq` is where that state stands in the journal."""

executions = Table(
    "executions",
    metadata,
    Column("seq", _Key, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("book", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("bar", BigInteger, nullable=False),
    Column("exec_id", String(200), nullable=False, unique=True),
    Column("executed_ns", BigInteger, nullable=False),
    Column("order_ref", String(200), nullable=False, index=True),
    Column("symbol", String(64), nullable=False),
    Column("side", String(8), nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("price", Double, nullable=False),
    Column("commission_micro", BigInteger, nullable=False),
    Column("corrects", String(200), nullable=False),
)

cash = Table(
    "cash",
    metadata,
    Column("seq", _Key, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("payment_id", String(200), nullable=False, unique=True),
    Column("paid_ns", BigInteger, nullable=False),
    Column("symbol", String(64), nullable=False),
    Column("per_unit", Double, nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("amount_micro", BigInteger, nullable=False),
)

halts = Table(
    "halts",
    metadata,
    Column("version", _Key, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("bar", BigInteger, nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("previous", Integer, nullable=False),
    Column("trigger", String(32), nullable=False),
    Column("raised_by", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("scope", String(200), nullable=False),
)

equity = Table(
    "equity",
    metadata,
    Column("bar", _Key, primary_key=True, autoincrement=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("equity", Double, nullable=False),
    Column("cash_micro", BigInteger, nullable=False),
    Column("peak_equity", Double, nullable=False),
    Column("day_start_equity", Double, nullable=False),
    Column("gross_exposure", Double, nullable=False),
    Column("heat", Double, nullable=False),
    Column("drawdown", Double, nullable=False),
    Column("rung", Integer, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("bar", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", _Key, primary_key=True, autoincrement=False),
    Column("kind", String(24), nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("bar", BigInteger, nullable=False),
    Column("key", String(300), nullable=False),
    Column("decision", Boolean, nullable=False),
    Column("body", Text, nullable=False),
)
