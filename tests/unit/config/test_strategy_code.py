"""The code that a session is held to: files by content, packages by version."""

from __future__ import annotations

from importlib.metadata import EntryPoint, distribution
from pathlib import Path

import pytest
import yaml

from config.loader import SHIPPED, load
from config.settings import Settings
from config.strategy_code import code_changes, strategy_code
from domain.strategies.registry import ENTRY_POINT_GROUP, discover
from tests.unit.config.test_strategy_files import GOOD, write


def configured(folder: Path, **first: object) -> Settings:
    """Return the shipped settings with values of the first strategy replaced."""
    folder.mkdir(exist_ok=True)
    document = yaml.safe_load((SHIPPED / "strategies.yaml").read_text(encoding="utf-8"))
    document["strategies"][0] |= {"parameters": {}, **first}
    (folder / "strategies.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return load(folder, {})


def test_built_in_strategies_are_of_the_engines_own_version() -> None:
    assert strategy_code(load(None, {}), discover()) == {}


def test_file_is_known_by_its_content_wherever_the_configuration_lies(tmp_path: Path) -> None:
    found = []
    for place in ("here", "there"):
        (tmp_path / place).mkdir()
        write(tmp_path / place, GOOD)
        found.append(
            strategy_code(configured(tmp_path / place, strategy="always", file="mine.py"), discover([]))
        )
    assert found[0] == found[1]
    assert list(found[0]) == ["mine.py"]
    write(tmp_path / "there", GOOD + "#")
    assert (
        strategy_code(configured(tmp_path / "there", strategy="always", file="mine.py"), discover([]))
        != found[0]
    )


def test_package_is_known_by_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD, "package_with_version.py")
    monkeypatch.syspath_prepend(tmp_path)
    dist = distribution("numpy")
    plain = EntryPoint(name="always", value="package_with_version:ALWAYS", group=ENTRY_POINT_GROUP)
    points = [plain._for(dist)]  # type: ignore[attr-defined]  # how importlib.metadata makes those of a distribution
    settings = configured(tmp_path / "own", strategy="always")
    assert strategy_code(settings, discover(points), points) == {"package numpy": dist.version}


def test_changes_are_told_by_file_and_by_version(tmp_path: Path) -> None:
    before = {"mine.py": "a", "same.py": "b", "package mine": "1.0"}
    now = {"mine.py": "c", "same.py": "b", "package mine": "1.1", "package other": "2"}
    assert code_changes(before, now, tmp_path) == [
        f"the strategy file {tmp_path / 'mine.py'}",
        "the package mine (version 1.0 then, 1.1 now)",
        "the package other (version none then, 2 now)",
    ]
