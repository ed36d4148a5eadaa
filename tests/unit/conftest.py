"""Keep unit tests inside one process: none may start Ray."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.isolation import WHERE, refuse_ray, stop_started_ray


@pytest.fixture(autouse=True)
def forbid_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make `ray.init` raise, and fail a test that got round that."""
    refuse_ray(monkeypatch)
    yield
    if stop_started_ray():
        pytest.fail(f"a unit test started Ray: {WHERE}")
