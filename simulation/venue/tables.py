"""Lay out the venue's own database: orders, executions, dividends, the account's facts and the cursor."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, Table, Text

from storage.tables import meta

SCHEMA_VERSION = 2

METADATA = MetaData()

meta.to_metadata(METADATA)  # where the number of the last common commit is kept, as in every database

ORDERS = Table(
    "orders",
    METADATA,
    Column("order_ref", Text, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("parent_ref", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("order_type", Text, nullable=False),
    Column("time_in_force", Text, nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("filled_lots", BigInteger, nullable=False),
    Column("limit_price", Float, nullable=False),
    Column("stop_price", Float, nullable=False),
    Column("attached_stop_pct", Float, nullable=False),
    Column("oca_group", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("code", Text, nullable=True),
    Column("text", Text, nullable=False),
    Column("session", Integer, nullable=False),
    Column("triggered", Boolean, nullable=False),
    Column("average_price", Float, nullable=False),
    Column("charged_micro", BigInteger, nullable=False),
    Column("at_ns", BigInteger, nullable=False),
    Column("bar", BigInteger, nullable=False),
)

EXECUTIONS = Table(
    "executions",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("exec_id", Text, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("order_ref", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("price", Float, nullable=False),
    Column("commission_micro", BigInteger, nullable=False),
    Column("corrects", Text, nullable=False),
    Column("bar", BigInteger, nullable=False),
)

DIVIDENDS = Table(
    "dividends",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("payment_id", Text, nullable=False, unique=True),
    Column("at_ns", BigInteger, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("per_unit", Float, nullable=False),
    Column("lots", BigInteger, nullable=False),
    Column("amount_micro", BigInteger, nullable=False),
    Column("bar", BigInteger, nullable=False),
)

ACCOUNT = Table(
    "account",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("schema_version", Integer, nullable=False),
    Column("deposit_micro", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("connections", Integer, nullable=False),
)

CURSOR = Table(
    "cursor",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("group", BigInteger, nullable=False),
    Column("known_ns", BigInteger, nullable=False),
    Column("session", Integer, nullable=False),
    Column("marks", Text, nullable=False),
)
