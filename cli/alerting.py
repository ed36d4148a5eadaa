"""Alert where no coordinator does: of a halt that no engine hears, and of an engine that ended by a failure."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from actors.alerting import alert_sender
from config.alerts import hand_over_alert_urls
from config.loader import load
from config.settings import Settings
from domain.alerts import Alert, AlertTerms, ChannelFigures, Severity
from domain.errors import BreakwaterError
from storage.state import Session

if TYPE_CHECKING:
    from cli.plan import EnginePlan


class Told(NamedTuple):
    """Be what became of an alert: by channel, and `words` to add to a sentence, "" where all went well."""

    channels: tuple[ChannelFigures, ...]
    words: str


def send_now(settings: Settings, state: Path, alert: Alert) -> Told:
    """Send `alert` to every channel that hears it and wait for that: at most one try's deadline, or `closing_s`."""
    terms = settings.alert_terms()
    patient = replace(terms, closing_s=max(terms.closing_s, terms.sending.deadline_s))
    hand_over_alert_urls(settings.alert_urls, os.environ)
    try:
        return told(sent(patient, state, alert))
    except OSError as error:
        return Told((), f"; nobody was alerted: {error.filename or state}: {error.strerror or error}")


def sent(terms: AlertTerms, state: Path, alert: Alert) -> tuple[ChannelFigures, ...]:
    """Send `alert` and return what became of it within `closing_s`; raises OSError where no log can be written."""
    sender = alert_sender(terms, state)
    sender.start()
    sender.send(alert)
    sender.close()
    return sender.figures


def told(channels: tuple[ChannelFigures, ...]) -> Told:
    """Return `channels` with the words on those that did not take what they were sent."""
    lost = [f"{each.channel}: {each.error or 'no answer in time'}" for each in channels if not_taken(each)]
    return Told(channels, f"; not everybody could be alerted: {'; '.join(lost)}" if lost else "")


def not_taken(figures: ChannelFigures) -> bool:
    """Say whether a channel failed to take something."""
    return bool(figures.failed or figures.dropped or figures.error)


def alert_of_session(session: Session, state: Path, alert: Alert) -> Told:
    """Send `alert` by the channels of the configuration with which the session ran last; raises nothing of theirs."""
    directory = session.config_directory
    try:
        settings = load(None if directory is None else Path(directory), dict(os.environ), to_trade=False)
    except BreakwaterError as error:
        return Told((), f"; nobody was alerted, for {error}")
    return send_now(settings, state, alert)


def alert_ended(plan: EnginePlan, error: BreakwaterError) -> str:
    """Tell every channel that the engine ended by `error`; return what to say where one does not take it."""
    lines = (("severity", "critical"), ("reason", str(error)), ("state", str(plan.session.state_dir)))
    alert = Alert(Severity.CRITICAL, "the engine ended by a failure: nothing trades", lines)
    return send_now(plan.settings, plan.session.state_dir, alert).words.removeprefix("; ")
