"""Take the channels from alerts.yaml and their URLs from the environment or .env, never shown (requirements C7, C8)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.alerts import hand_over_alert_urls
from config.describe import describe, validation_report
from config.loader import load, shipped_document
from config.violations import InvalidConfiguration
from domain.alerts import LOG, ChannelTerms, Severity
from tests.alert_servers import channels

CANARY = "canary7f3asecret"
HOOK = "BREAKWATER_ALERT_HOOK"
URL = f"json://user:{CANARY}@127.0.0.1:9/{CANARY}"


def written(folder: Path, **changes: Any) -> Path:
    shipped = shipped_document("alerts.yaml").data
    assert isinstance(shipped, dict)
    folder.mkdir(exist_ok=True)
    (folder / "alerts.yaml").write_text(
        yaml.safe_dump({**json.loads(json.dumps(shipped)), **changes}), encoding="utf-8"
    )
    return folder


def refusals(folder: Path, environ: dict[str, str]) -> list[str]:
    with pytest.raises(InvalidConfiguration) as caught:
        load(folder, environ)
    assert CANARY not in str(caught.value) + repr(caught.value)
    return [f"{v.file}: {v.key}: {v.found}" for v in caught.value.violations]


def test_shipped_are_the_log_alone_which_hears_everything() -> None:
    terms = load(None, {}).alert_terms()
    assert terms.channels == (ChannelTerms("log", Severity.INFO, LOG),)
    assert (terms.replayed, terms.queue, terms.closing_s) == (False, 100, 5.0)
    assert terms.sending == (3, 1.0, 30.0, 2.0, 0.5, 10.0)


@pytest.mark.parametrize(
    ("asked", "mode", "all_hear"),
    [("log", "SIMULATION", False), ("all", "SIMULATION", True), ("log", "PAPER", True)],
)
def test_every_channel_hears_what_bars_lead_to_where_they_are_no_replay(
    tmp_path: Path, asked: str, mode: str, all_hear: bool
) -> None:
    settings = load(written(tmp_path / "c", replayed=asked), {"TRADING_MODE": mode}, to_trade=False)
    assert settings.alert_terms().replayed is all_hear


@pytest.mark.parametrize("in_file", [False, True])
def test_url_comes_from_the_environment_or_from_the_env_file(tmp_path: Path, in_file: bool) -> None:
    folder = written(tmp_path / "c", channels=channels(hook=HOOK))
    if in_file:
        (folder / ".env").write_text(f"{HOOK}={URL}\n", encoding="utf-8")
        (folder / ".env").chmod(0o600)
    settings = load(folder, {} if in_file else {HOOK: URL})
    assert settings.alert_urls[HOOK].get_secret_value() == URL
    environ: dict[str, str] = {}
    hand_over_alert_urls(settings.alert_urls, environ)
    assert environ == {HOOK: URL}
    environ = {HOOK: "json://other"}
    hand_over_alert_urls(settings.alert_urls, environ)
    assert environ == {HOOK: "json://other"}


def test_url_is_in_no_text_of_the_settings(tmp_path: Path) -> None:
    settings = load(written(tmp_path / "c", channels=channels(hook=HOOK)), {HOOK: URL})
    shown = describe(settings)
    text = json.dumps(shown) + repr(settings) + repr(settings.content()) + repr(settings.alert_terms())
    assert CANARY not in text
    assert shown["secrets"][HOOK]["set"] is True
    assert "hook" in shown["secrets"][HOOK]["description"]


def test_env_file_with_a_url_is_its_owners_alone(tmp_path: Path) -> None:
    folder = written(tmp_path / "c", channels=channels(hook=HOOK))
    (folder / ".env").write_text(f"{HOOK}={URL}\n", encoding="utf-8")
    (folder / ".env").chmod(0o644)
    assert refusals(folder, {}) == [".env: : mode 0644"]
    assert load(folder, {HOOK: URL}).alert_urls.keys() == {HOOK}


@pytest.mark.parametrize(
    ("environ", "found"), [({}, "nothing"), ({HOOK: CANARY}, "(not shown)"), ({HOOK: ""}, "(not shown)")]
)
def test_variable_without_a_url_is_a_violation(tmp_path: Path, environ: dict[str, str], found: str) -> None:
    folder = written(tmp_path / "c", channels=channels(hook=HOOK))
    assert refusals(folder, environ) == [f"environment: {HOOK}: {found}"]


def test_who_only_looks_needs_no_url_but_takes_no_wrong_one(tmp_path: Path) -> None:
    folder = written(tmp_path / "c", channels=channels(hook=HOOK))
    assert load(folder, {}, to_trade=False).alert_urls == {}
    with pytest.raises(InvalidConfiguration):
        load(folder, {HOOK: CANARY}, to_trade=False)


def test_url_in_the_file_itself_is_refused_and_not_shown(tmp_path: Path) -> None:
    folder = written(tmp_path / "c", channels=channels(hook=URL))
    assert refusals(folder, {}) == ["alerts.yaml: channels[0].target: (not shown)"]
    assert CANARY not in json.dumps(validation_report(folder, {}))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"channels": []}, "channels"),
        ({"channels": [*channels(a="log"), *channels(a="log")]}, "channels[1].id"),
        ({"channels": [{"id": "a", "target": "log"}]}, "channels[0].least_severity"),
        (
            {"channels": [{"id": "a", "least_severity": "loud", "target": "log"}]},
            "channels[0].least_severity",
        ),
        ({"channels": [{"id": "A b", "least_severity": "info", "target": "log"}]}, "channels[0].id"),
        ({"channels": "log"}, "channels"),
        ({"replayed": "some"}, "replayed"),
        ({"queue": 0}, "queue"),
        ({"queue": 1.5}, "queue"),
        ({"closing_s": 61.0}, "closing_s"),
        ({"closing_s": -0.1}, "closing_s"),
        ({"silent": True}, "silent"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], key: str) -> None:
    folder = written(tmp_path / "c", **changes)
    assert [each.split(": ")[1] for each in refusals(folder, {})] == [key]


def test_two_channels_may_share_a_url(tmp_path: Path) -> None:
    folder = written(tmp_path / "c", channels=channels(a=HOOK, b=HOOK))
    assert len(load(folder, {HOOK: URL}).alert_terms().channels) == 2
