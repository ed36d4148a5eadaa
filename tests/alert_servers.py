"""Be the other side of alert channels, on loopback: HTTP and SMTP servers that record, fail, stall or are not there."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


class Received:
    """Keep what came, with the time (monotonic, s) at which it did."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, Any]] = []
        self._came = threading.Condition()

    def add(self, message: Any) -> None:
        with self._came:
            self.messages.append((time.monotonic(), message))
            self._came.notify_all()

    def wait(self, count: int = 1, within_s: float = 10.0) -> list[Any]:
        """Return all that came, once it is `count`; fails the test where that takes too long."""
        with self._came:
            came = self._came.wait_for(lambda: len(self.messages) >= count, within_s)
        assert came, f"{len(self.messages)} of {count} messages came within {within_s:g} s"
        return [message for _, message in self.messages]

    def titles(self) -> list[str]:
        return [str(each["title"]) for _, each in self.messages]


class Webhook(Received):
    """Record JSON that is posted; answer `status`, after `slow_s`."""

    def __init__(self, status: int = 200, slow_s: float = 0.0) -> None:
        super().__init__()
        received = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.add({**json.loads(body), "path": self.path, "headers": dict(self.headers)})
                time.sleep(slow_s)
                self.send_response(status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, secret: str = "") -> str:
        """Return the Apprise URL, with `secret` for a password."""
        login = f"user:{secret}@" if secret else ""
        return f"json://{login}{HOST}:{self._server.server_port}/hook/{secret}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def webhook(status: int = 200, slow_s: float = 0.0) -> Iterator[Webhook]:
    """Run a webhook."""
    server = Webhook(status, slow_s)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the URL of a server that takes connections and never answers."""
    with socket.create_server((HOST, 0), backlog=128) as listening:
        yield f"json://{HOST}:{listening.getsockname()[1]}/"


def refused_url(secret: str = "") -> str:
    """Return a URL at which nobody listens."""
    with socket.create_server((HOST, 0)) as once:
        port = once.getsockname()[1]
    return f"json://user:{secret}@{HOST}:{port}/{secret}" if secret else f"json://{HOST}:{port}/"


class Mailbox(Received):
    """Record mail."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del server, session
        content = envelope.content
        mail: Message = message_from_bytes(content if isinstance(content, bytes) else b"")
        self.add(mail)
        return "250 taken"


@contextmanager
def mail_server() -> Iterator[tuple[Mailbox, str]]:
    """Run an SMTP server; yield what it received and its Apprise URL."""
    received = Mailbox()
    with socket.create_server((HOST, 0)) as once:
        port = once.getsockname()[1]
    controller = Controller(received, hostname=HOST, port=port)
    controller.start()
    try:
        yield received, f"mailto://{HOST}:{port}?from=engine@example.com&to=ann@example.com&mode=insecure"
    finally:
        controller.stop()


def mail_text(mail: Message) -> str:
    """Return subject and text of a mail."""
    parts = [part for part in mail.walk() if part.get_content_type() == "text/plain"] or [mail]
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return f"{mail['Subject']}\n{payload.decode()}"


def channels(**targets: str) -> list[Mapping[str, str]]:
    """Return what alerts.yaml has for channels that hear everything, each an id with its target."""
    return [{"id": name, "least_severity": "info", "target": target} for name, target in targets.items()]
