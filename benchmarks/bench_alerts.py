"""Measure alerts on Ray: from a halt, asked over the control socket, to its receipt by a webhook and a mail server.

Ceiling: 2 s at p99 each, beside a channel that never answers and one that answers after a second: trading
waits for no channel. Told beside: how long the halt itself took to be effective, with such channels and with the log
alone. The servers are on loopback, in this process. Mail follows on the heels of the mail before it, from which Apprise
keeps it apart (`actors.alert_channels.MOST_GAP_S`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from benchmarks.engine_runs import SYMBOLS, planned
from benchmarks.report import Bound, Figure, report
from cli.ray_engine import RayEngine
from cli.registry import read_settings
from config.alerts import hand_over_alert_urls
from domain.commands import Verb
from domain.messages import COORDINATOR
from simulation.synthetic import MarketSpec, synthesise
from supervisor.control_client import ControlClient, new_key
from supervisor.phase import Phase
from tests.alert_servers import Received, channels, mail_server, silent_server, webhook
from tests.scenario.settings import write_config
from tests.sizes import prove_size

HALTS = prove_size(20, 200)
PACE_S = 0.05
BARS = 12_000
"""More than the run takes, at that pace."""
WARM = 2
"""Halts at the beginning that do not count."""
SLOW_S = 1.0
MOST_S = 2.0
SCOPE = f"symbol:{SYMBOLS[0]}"


class Servers(NamedTuple):
    """Be the servers whose receipt is measured, by channel, and all the variables with URLs."""

    measured: Mapping[str, Received]
    variables: Mapping[str, str]


@contextmanager
def servers() -> Iterator[Servers]:
    """Run a webhook and a mail server that work, and one of each kind that does not."""
    with ExitStack() as stack:
        hook = stack.enter_context(webhook())
        slow = stack.enter_context(webhook(slow_s=SLOW_S))
        mail, mail_url = stack.enter_context(mail_server())
        urls = {"HOOK": hook.url(), "MAIL": mail_url, "SLOW": slow.url()}
        urls["DEAD"] = stack.enter_context(silent_server())
        variables = {f"BREAKWATER_ALERT_{name}": url for name, url in urls.items()}
        yield Servers({"webhook": hook, "mail": mail}, variables)


def halts(folder: Path, found: Servers | None) -> tuple[dict[str, list[float]], list[float]]:
    """Halt a symbol again and again; return the seconds to each channel's receipt, and to the halt's effect."""
    config = folder / "config"
    targets = {name.rpartition("_")[2].lower(): name for name in found.variables} if found else {}
    write_config(config, "alerts.yaml", {"channels": channels(log="log", **targets), "closing_s": 0.0})
    settings = read_settings(config, {**os.environ, **(found.variables if found else {})})
    hand_over_alert_urls(settings.alert_urls, os.environ)
    table = synthesise(MarketSpec(seed=7, symbols=SYMBOLS, first=date(1980, 1, 1), sessions=BARS))
    received = dict(found.measured) if found else {}
    taken: dict[str, list[float]] = {name: [] for name in received}
    effect = []
    with planned(settings, table, 0, pace_s=PACE_S) as plan:
        engine = RayEngine(plan)
        try:
            while engine.states()[COORDINATOR].get("phase") != Phase.RUNNING.value:
                engine.advance()
            client = ControlClient(plan.session.state_dir)
            for _ in range(HALTS + WARM):
                asked_s = _command(client, Verb.HALT)
                effect.append(time.monotonic() - asked_s)
                for name, server in received.items():
                    server.wait(1, within_s=60.0)
                    taken[name].append(server.messages[0][0] - asked_s)
                _command(client, Verb.RESUME)
                for server in received.values():
                    server.wait(2, within_s=60.0)
                    server.messages.clear()
        finally:
            engine.close()
    return {name: times[WARM:] for name, times in taken.items()}, effect[WARM:]


def _command(client: ControlClient, verb: Verb) -> float:
    """Give a command for the symbol, wait for its effect, and return when it was asked (monotonic, s)."""
    arguments = {"scope": SCOPE, **({"force": True} if verb is Verb.RESUME else {})}
    asked_s = time.monotonic()
    client.ask(verb, arguments, reason="measured", mode="SIMULATION", key=new_key())
    return asked_s


def part(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` of them lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def figures() -> Iterator[Figure]:
    """Measure with and without channels that hang, and yield the figures."""
    with TemporaryDirectory(prefix="breakwater-bench-") as name:
        _, alone = halts(Path(name), None)
    with servers() as found, TemporaryDirectory(prefix="breakwater-bench-") as name:
        taken, beside = halts(Path(name), found)
    how = f"{HALTS} halts on Ray, a dead and a slow channel beside"
    for channel, times in taken.items():
        yield Figure(f"halt asked to {channel}, p50", part(times, 0.5) * 1e3, "ms", how)
        yield Figure(f"halt asked to {channel}, p99", part(times, 0.99), "s", how, MOST_S, Bound.AT_MOST)
    words = f"{median(alone) * 1e3:.1f} ms with the log alone"
    yield Figure("halt asked to effective, middle", median(beside) * 1e3, "ms", how, beside=words)
    words = f"{part(alone, 0.99) * 1e3:.1f} ms with the log alone"
    yield Figure("halt asked to effective, p99", part(beside, 0.99) * 1e3, "ms", how, beside=words)


def main() -> int:
    """Measure, show and keep the figures; return 1 when a ceiling is missed."""
    return report("alerts", list(figures()))


if __name__ == "__main__":
    sys.exit(main())
