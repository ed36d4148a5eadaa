"""Test the description of a child."""

from __future__ import annotations

import pickle

import pytest

from domain.errors import ConfigurationError
from supervisor.child_spec import ChildSpec, load_factory
from tests.contract.runtime_machines import recorder


def test_spec_can_be_sent_to_another_process() -> None:
    spec = ChildSpec(role="a", factory="m:f", arguments={"x": 1}, after=("b",))
    assert pickle.loads(pickle.dumps(spec)) == spec


def test_factory_is_found_by_its_path() -> None:
    assert load_factory("tests.contract.runtime_machines:recorder") is recorder


@pytest.mark.parametrize(
    "path", ["", "module", "module:", ":f", "no.such.module:f", "supervisor.child_spec:nothing"]
)
def test_factory_that_is_none_is_refused_by_name(path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^factory "):
        load_factory(path)
