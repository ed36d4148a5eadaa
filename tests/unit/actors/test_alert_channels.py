"""Deliver to real servers of each protocol, and say no secret when one does not take it (requirements B2, C8, E5)."""

from __future__ import annotations

import logging
import time
from email.header import decode_header, make_header

import pytest

from actors.alert_channels import AppriseChannel, DeliveryFailed, LogChannel, channel_builder
from domain.alerts import LOG, Alert, ChannelTerms, Severity
from domain.errors import ConfigurationError
from tests.alert_servers import mail_server, mail_text, refused_url, silent_server, webhook
from tests.fakes.ports import FakeLog

CANARY = "canary7f3asecret"
HALTED = Alert(
    Severity.CRITICAL, "the account is HALTED: manual", (("reason", "ann: a storm"), ("equity", "99,000.00"))
)


def test_webhook_gets_title_lines_and_severity() -> None:
    with webhook() as server:
        AppriseChannel(server.url(), 5.0).deliver(HALTED)
        (posted,) = server.wait()
    assert posted["title"] == "the account is HALTED: manual"
    assert posted["message"] == "reason: ann: a storm\nequity: 99,000.00"
    assert posted["type"] == "failure"


def test_mail_has_the_title_as_its_subject_and_the_lines_as_its_text() -> None:
    with mail_server() as (mailbox, url):
        AppriseChannel(url, 5.0).deliver(HALTED)
        (mail,) = mailbox.wait()
    assert str(make_header(decode_header(mail["Subject"]))) == "the account is HALTED: manual"
    assert mail["To"] == "ann@example.com"
    assert mail_text(mail).splitlines()[-2:] == ["reason: ann: a storm", "equity: 99,000.00"]


def test_messages_that_come_at_once_are_not_kept_back() -> None:
    """A role that fails leads to three alerts, the halt last: within 2 s (reliability)."""
    with mail_server() as (mailbox, url):
        channel = AppriseChannel(url, 5.0)
        begun = time.monotonic()
        for _ in range(3):
            channel.deliver(HALTED)
        assert len(mailbox.wait(3)) == 3
    assert time.monotonic() - begun < 4.0


def test_server_that_answers_500_is_a_failure_with_its_reason() -> None:
    with webhook(status=500) as server, pytest.raises(DeliveryFailed, match="error=500"):
        AppriseChannel(server.url(), 5.0).deliver(HALTED)


def test_server_that_refuses_the_connection_is_a_failure() -> None:
    with pytest.raises(DeliveryFailed, match="Connection error"):
        AppriseChannel(refused_url(), 5.0).deliver(HALTED)


def test_server_that_never_answers_is_given_up_at_the_deadline() -> None:
    begun = time.monotonic()
    with silent_server() as url, pytest.raises(DeliveryFailed):
        AppriseChannel(url, 0.3).deliver(HALTED)
    assert 0.2 < time.monotonic() - begun < 5.0


@pytest.mark.parametrize("kind", ["refused", "500"])
def test_secret_of_a_url_is_in_no_error_and_no_log(
    kind: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with webhook(status=500) as server:
        url = refused_url(CANARY) if kind == "refused" else server.url(CANARY)
        channel = AppriseChannel(url, 2.0)
        with pytest.raises(DeliveryFailed) as caught:
            channel.deliver(HALTED)
    assert str(caught.value)
    written = capfd.readouterr()
    shown = "".join((str(caught.value), repr(caught.value), caplog.text, written.out, written.err))
    assert CANARY not in shown
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", [f"nosuch://{CANARY}", f"json://:{CANARY}", f"mailto://{CANARY}"])
def test_url_that_apprise_does_not_take_is_refused_and_not_shown(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ConfigurationError) as caught:
        AppriseChannel(url, 2.0)
    written = capfd.readouterr()
    assert CANARY not in "".join((str(caught.value), caplog.text, written.out, written.err))
    assert "Apprise does not take it" in str(caught.value)


def test_log_channel_writes_each_severity_at_its_level() -> None:
    log = FakeLog()
    channel = LogChannel(log)
    for severity in Severity:
        channel.deliver(HALTED._replace(severity=severity))
    assert [(level, values["severity"]) for level, _, values in log.events] == [
        ("info", "info"),
        ("warning", "warning"),
        ("error", "critical"),
    ]
    assert log.events[0][2]["lines"] == {"reason": "ann: a storm", "equity": "99,000.00"}


def test_channel_takes_its_url_from_the_environment_when_it_is_built() -> None:
    terms = ChannelTerms("hook", Severity.INFO, "BREAKWATER_ALERT_HOOK")
    with webhook() as server:
        build = channel_builder(terms, 5.0, FakeLog(), {"BREAKWATER_ALERT_HOOK": server.url()})
        build().deliver(HALTED)
        assert len(server.wait()) == 1
    with pytest.raises(ConfigurationError, match="BREAKWATER_ALERT_HOOK is not set"):
        channel_builder(terms, 5.0, FakeLog(), {})()


def test_log_needs_no_url() -> None:
    log = FakeLog()
    channel_builder(ChannelTerms("log", Severity.INFO, LOG), 5.0, log, {})().deliver(HALTED)
    assert [event for _, event, _ in log.events] == ["alert"]
