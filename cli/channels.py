"""Try whether Apprise takes the URLs of the configured channels, before anything relies on them."""

from __future__ import annotations

from collections.abc import Iterator

from config.settings import Settings
from config.violations import InvalidConfiguration, Violation
from domain.errors import ConfigurationError


def judge_channels(settings: Settings) -> Iterator[Violation]:
    """Yield a violation for each URL that Apprise does not take; none holds a URL's text.

    Loads Apprise only where a channel needs it.
    """
    if not settings.alert_urls:
        return
    from actors.alert_channels import AppriseChannel

    for name, url in settings.alert_urls.items():
        try:
            AppriseChannel(url.get_secret_value(), settings.retry.alerts.deadline_s)
        except ConfigurationError as error:
            allowed = f"{error}; see https://appriseit.com/services for the forms"
            yield Violation("environment", name, "(not shown)", allowed)


def refuse_unusable_channels(settings: Settings) -> None:
    """Raise InvalidConfiguration with all of them, where there are any."""
    violations = list(judge_channels(settings))
    if violations:
        raise InvalidConfiguration(violations)
