"""Model `alerts.yaml`, and read the URLs of its channels: from the environment or `.env`, never from YAML."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Literal

from pydantic import SecretStr, create_model
from pydantic_settings import SettingsConfigDict

from config.credentials import Handed, refuse_open_file
from config.documents import Document
from config.fields import ALERT_TARGET, IDENTIFIER, Section, entries, number, one_of, text
from config.violations import Violation
from domain.alerts import LOG, ChannelTerms, Severity

FILE = "alerts.yaml"
ALERT_URL = (
    "1 to 2,000 characters that begin with a scheme of Apprise (mailto://, json://, ...), no space among them"
)
"""What such a variable must hold, in words; whether Apprise takes it, `actors.alert_channels` finds out."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S{1,1960}")


class Channel(Section):
    """Describe one way to reach a person."""

    id: str = text("Name that status, log and commands call it by", pattern=IDENTIFIER)
    least_severity: Literal["info", "warning", "critical"] = one_of("The least severity it hears")
    target: str = text(
        "The log, or the environment variable that holds its Apprise URL", pattern=ALERT_TARGET, hidden=True
    )


class Alerts(Section):
    """Be `alerts.yaml` (requirements B2, C8)."""

    channels: tuple[Channel, ...] = entries("The channels", fewest=1, most=50)
    replayed: Literal["log", "all"] = one_of("Who hears what replayed bars lead to, in SIMULATION")
    queue: int = number("Alerts that wait for one channel", "alerts", least=1, most=10_000)
    closing_s: float = number("Time for what waits when the engine ends", "s", least=0, most=60)

    def terms(self) -> tuple[ChannelTerms, ...]:
        """Return the channels as the sender takes them: without their URLs."""
        return tuple(
            ChannelTerms(each.id, Severity[each.least_severity.upper()], each.target)
            for each in self.channels
        )


def variables_of(document: Document) -> tuple[str, ...]:
    """Return the environment variables that the channels of `alerts.yaml`, as read, name; faulty ones left out."""
    channels = document.data.get("channels") if isinstance(document.data, dict) else ()
    named = [each.get("target") for each in channels or () if isinstance(each, dict)]
    return tuple(
        dict.fromkeys(
            name
            for name in named
            if isinstance(name, str) and name != LOG and re.fullmatch(ALERT_TARGET, name)
        )
    )


def read_alert_urls(
    variables: tuple[str, ...], environ: Mapping[str, str], env_file: Path, *, needed: bool
) -> tuple[dict[str, SecretStr], list[Violation]]:
    """Return the URL of each variable, with what is wrong; a violation never holds a URL's text.

    One that is not set is a violation where all are `needed`, as by an engine; who only looks does without.

    `env_file` is one that `read_credentials` could read.
    """
    if not variables:
        return {}, []
    fields: dict[str, Any] = {name.lower(): (SecretStr | None, None) for name in variables}
    # What type checkers derive lacks the settings library's underscored arguments.
    create: Any = create_model
    model = create("AlertUrls", __base__=_Unprefixed, **fields)
    handed = {name.lower(): environ[name] for name in variables if name in environ}
    found = model(_env_file=env_file, **handed)
    urls = {name: url for name in variables if (url := getattr(found, name.lower())) is not None}
    faults = [_fault(name, urls.get(name)) for name in variables if needed or name in urls]
    faults += refuse_open_file(env_file, in_file=len(urls) > len(handed))
    return urls, [each for each in faults if each is not None]


def hand_over_alert_urls(urls: Mapping[str, SecretStr], environ: MutableMapping[str, str]) -> None:
    """Set the URLs in `environ` where they are not set: the process that sends takes them from there."""
    for name, url in urls.items():
        environ.setdefault(name, url.get_secret_value())


class _Unprefixed(Handed):
    """Read variables by their whole names."""

    model_config = SettingsConfigDict(env_prefix="")


def _fault(name: str, url: SecretStr | None) -> Violation | None:
    if url is None:
        return Violation(
            "environment", name, "nothing", f"a channel of {FILE} needs it: {ALERT_URL}; or in .env"
        )
    if _URL.fullmatch(url.get_secret_value()) is None:
        return Violation("environment", name, "(not shown)", f"allowed: {ALERT_URL}")
    return None
