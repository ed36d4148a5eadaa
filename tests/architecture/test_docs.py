"""Keep the pages true where a machine can tell: links lead somewhere, commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def broken_links(page: Path) -> list[str]:
    """Return the relative links of `page` that lead to no file."""
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    return [
        t
        for t in targets
        if "://" not in t and not t.startswith("mailto:") and not (page.parent / t).exists()
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    assert broken_links(page) == []


def test_link_to_nothing_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](page.md) [b](gone.md#part) [c](https://example.org) [d](#here)", encoding="utf-8")
    assert broken_links(page) == ["gone.md"]


def test_every_make_target_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for line in re.findall(r"`make ([a-z ]+)[`A-Z]", page.read_text(encoding="utf-8"))
        for word in line.split()
    }
    assert named <= targets


@pytest.mark.parametrize(("folder", "pages"), [("docs", "*.md"), ("docs/decisions", "[0-9]*.md")])
def test_every_page_is_listed_in_the_index_of_its_folder(folder: str, pages: str) -> None:
    index = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    found = [path.name for path in sorted((ROOT / folder).glob(pages)) if path.name != "README.md"]
    assert found
    assert [name for name in found if f"({name})" not in index] == []
