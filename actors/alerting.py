"""Build the sender of a state directory's alerts."""

from __future__ import annotations

from pathlib import Path

from actors.alert_channels import channel_builder
from actors.alert_sender import AlertSender
from actors.logs import open_log
from domain.alerts import AlertTerms

LOG_NAME = "alerts"
"""Names the log that the channel `log` is, and in which each channel's deliveries and failures stand."""


def alert_sender(terms: AlertTerms, state_dir: Path, generation: int = 1) -> AlertSender:
    """Return a sender to the channels of `terms`; it begins when it is opened or started."""
    log = open_log(state_dir, LOG_NAME, generation)
    deadline_s = terms.sending.deadline_s
    builders = {each.id: channel_builder(each, deadline_s, log) for each in terms.channels}
    return AlertSender(terms, builders, log)
