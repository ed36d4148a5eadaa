"""Render the reference tables of docs/configuration.md from the models and the shipped files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import config
from config.describe import describe
from config.in_force import MARK
from config.loader import load

PAGE = Path(config.__file__).resolve().parent.parent / "docs" / "configuration.md"
START, END = "<!-- reference -->", "<!-- end of reference -->"


def render() -> str:
    """Return a table per file; of lists and mappings of entries the first entry stands for all."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    for file, entry in describe(load(None, {}))["files"].items():
        yield from ("", f"### {file}", "", "| key | shipped | allowed | meaning |", "|---|---|---|---|")
        shown: set[str] = set()
        for key, about in entry["keys"].items():
            general = re.sub(r"^symbols\.[^.]+", "symbols.*", re.sub(r"\[\d+\]", "[]", key))
            if "[].parameters" in general:
                # What the shipped instances set is theirs; the page says what may be set.
                continue
            if general in shown:
                continue
            shown.add(general)
            value = "" if general != key else f"`{json.dumps(about['value'])}`"
            idle = "" if about["in_force"] else f" ({MARK})"
            yield f"| `{general}` | {value} | {about['range']} | {about['description']}{idle} |"
    yield ""


def with_reference(page: str) -> str:
    """Return the page's text with the tables as they are now."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{render()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
