"""Turn the options of `breakwater audit query|export` into a query."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cli.options import UsageError
from domain.outbox import AuditKind
from storage.audit.query import AuditQuery

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_BAR = re.compile(r"-?\d{1,15}")
_ALLOWED = "allowed: a bar's number, a day as YYYY-MM-DD, or a UTC time as YYYY-MM-DDTHH:MM[:SS]"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Be one end of a range: a bar's number or a time in UTC ns."""

    bar: int | None = None
    at_ns: int | None = None


def build_query(
    kinds: Sequence[AuditKind],
    symbol: str | None,
    strategy: str | None,
    start: str | None,
    end: str | None,
    intent: str | None,
    text: str | None,
    limit: int,
) -> AuditQuery:
    """Return the query; with a `limit` (0: none) the newest records that match. Raises UsageError."""
    first, last = parse_end("--from", start, last=False), parse_end("--to", end, last=True)
    for low, high in ((first.bar, last.bar), (first.at_ns, last.at_ns)):
        if low is not None and high is not None and low > high:
            raise UsageError(f"--from {start} lies after --to {end}; allowed: --from up to --to")
    return AuditQuery(
        kinds=tuple(kinds),
        since_ns=first.at_ns,
        until_ns=last.at_ns,
        from_bar=first.bar,
        to_bar=last.bar,
        symbol=symbol or "",
        strategy=strategy or "",
        ref=intent or "",
        text=text or "",
        newest_first=limit > 0,
        limit=limit or None,
    )


def parse_end(option: str, text: str | None, *, last: bool) -> End:
    """Return the end of a range that `text` names; a day means its first moment, or its last where `last`."""
    if text is None:
        return End()
    if _BAR.fullmatch(text):
        return End(bar=int(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option}: found {text!r}; {_ALLOWED}") from None
    if last and _DAY.fullmatch(text):
        moment += timedelta(days=1) - timedelta(microseconds=1)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    whole, part = divmod((moment - _EPOCH) // timedelta(microseconds=1), 1_000_000)
    ns = whole * 1_000_000_000 + part * 1_000
    # The last microsecond of a range holds its nanoseconds too.
    return End(at_ns=ns + 999 if last and part else ns)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
