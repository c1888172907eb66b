"""The tables and the view, as queries see them. The migrations of a store own their
definition.

``entries`` is the ledger: both rows of every attempt, in the order of their commits.
``open_attempts`` is an index that triggers keep: the attempts that have no ending yet.
``attempts`` is a view: one line per attempt, its ending beside its reserve.
``feedback`` is what callers said of answers: no part of the ledger, and as durable.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, LargeBinary, MetaData, Table, Text

_tables = MetaData()

entries = Table(
    "entries",
    _tables,
    Column("seq", BigInteger, primary_key=True),
    Column("request_id", Text),
    Column("attempt", BigInteger),
    Column("kind", Text),  # "reserve", or the ending
    Column("at_ms", BigInteger),
    Column("owner", Text),
    Column("tenant", Text),
    Column("feature", Text),
    Column("task", Text),
    Column("model", Text),
    Column("target", Text),
    Column("reason", Text),
    Column("price_id", Text),
    Column("prompt_tokens_est", BigInteger),
    Column("output_tokens_max", BigInteger),
    Column("bound_nano_usd", BigInteger),
    Column("outcome", Text),
    Column("prompt_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_nano_usd", BigInteger),
    Column("usage_source", Text),
    Column("derivation", Text),
    Column("held_ms", BigInteger),
    Column("ttft_ms", BigInteger),
    Column("e2e_ms", BigInteger),
    Column("chain", LargeBinary),
    Column("evidence", Text),
)

open_attempts = Table(
    "open_attempts",
    _tables,
    Column("request_id", Text, primary_key=True),
    Column("attempt", BigInteger, primary_key=True),
    Column("owner", Text),
    Column("reserved_at_ms", BigInteger),
)

attempts = Table(
    "attempts",
    _tables,
    Column("request_id", Text),
    Column("attempt", BigInteger),
    Column("reserved_at_ms", BigInteger),
    Column("owner", Text),
    Column("tenant", Text),
    Column("feature", Text),
    Column("task", Text),
    Column("model", Text),
    Column("target", Text),
    Column("reason", Text),
    Column("price_id", Text),
    Column("bound_nano_usd", BigInteger),
    Column("ending", Text),  # None while open
    Column("ended_at_ms", BigInteger),
    Column("outcome", Text),
    Column("prompt_tokens", BigInteger),
    Column("cached_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("cost_nano_usd", BigInteger),
    Column("usage_source", Text),
    Column("derivation", Text),
    Column("held_ms", BigInteger),
    Column("ttft_ms", BigInteger),
    Column("e2e_ms", BigInteger),
)

feedback = Table(
    "feedback",
    _tables,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("request_id", Text),
    Column("tenant", Text),
    Column("model", Text),
    Column("task", Text),
    Column("language", Text),
    Column("score", Float),
    Column("at_ms", BigInteger),
    Column("answered_ms", BigInteger),
)

migrations = Table(
    "migrations", _tables, Column("name", Text, primary_key=True), Column("at_ms", BigInteger)
)
