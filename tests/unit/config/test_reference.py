"""Keep docs/configuration.md true."""

from __future__ import annotations

from config.credentials import Credentials, variable_of
from config.settings import SECTIONS
from tests.unit.config.reference import PAGE, with_reference


def test_reference_is_what_the_models_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_reference(page), "run `python -m tests.unit.config.reference`"


def test_page_names_every_file_and_every_secret() -> None:
    page = PAGE.read_text(encoding="utf-8")
    names = [file for file, _ in SECTIONS.values()] + [variable_of(name) for name in Credentials.model_fields]
    assert [name for name in names if name not in page] == []
