"""Load the configuration: the shipped files, each replaced by the user's file of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.alerts import read_alert_urls, variables_of
from config.credentials import Credentials, read_credentials
from config.documents import Document, read_document
from config.fields import FrozenMap
from config.judge import judge
from config.mode import TradingMode, trading_mode
from config.parameters import parameter_violations
from config.rules import Rules
from config.settings import SECTIONS, Settings
from config.violations import InvalidConfiguration, Violation, nearest

if TYPE_CHECKING:
    from pydantic import SecretStr

    from domain.strategies.protocol import StrategyDefinition

SHIPPED = Path(__file__).resolve().parent
"""The directory of the shipped files."""

COMPANIONS = (".py", ".pyc", ".md", ".key")
"""Suffixes of files that may lie beside the configuration: the user's strategies, notes and keys."""


def load(
    directory: Path | None,
    environ: Mapping[str, str],
    registry: Mapping[str, StrategyDefinition] | None = None,
    *,
    to_trade: bool = True,
) -> Settings:
    """Return the settings that the files of `directory` (None: the shipped ones) and `environ` make.

    Secrets come from `environ`, else from `.env` in `directory` (None: in the working directory). With a `registry`,
    the strategies' names and parameters are judged as well, except those that a file of the user's defines. What only
    reads (not `to_trade`) need not meet the rules that the mode adds for trading. Raises InvalidConfiguration with
    every violation of every file.
    """
    directory = None if directory is None else directory.absolute()
    violations: list[Violation] = []
    mode = _mode(environ, violations)
    documents, origins = _documents(directory, violations)
    credentials, urls = _secrets(directory, environ, documents["alerts.yaml"], violations, to_trade=to_trade)
    parts: dict[str, Any] = {}
    for name, (file, model) in SECTIONS.items():
        parts[name], faults = judge(documents[file], model, shipped_document(file))
        violations += faults
    known = {(v.file, v.key) for v in violations}
    tied = list(Rules(documents, mode if to_trade else TradingMode.SIMULATION, directory).violations())
    if registry is not None:
        tied += parameter_violations(documents["strategies.yaml"], registry)
    violations += [v for v in tied if (v.file, v.key) not in known]
    if violations or credentials is None:
        raise InvalidConfiguration(violations)
    return Settings(
        mode=mode,
        credentials=credentials,
        alert_urls=FrozenMap(urls),
        directory=directory,
        origins=FrozenMap(origins),
        **parts,
    )


@cache
def shipped_document(file: str) -> Document:
    """Return the shipped file of that name, read once."""
    return read_document(SHIPPED / file)


def _secrets(
    directory: Path | None,
    environ: Mapping[str, str],
    alerts: Document,
    violations: list[Violation],
    *,
    to_trade: bool,
) -> tuple[Credentials | None, Mapping[str, SecretStr]]:
    """Return the secrets and the URLs of the channels that `alerts` names; None for secrets that are refused."""
    env_file = (directory or Path.cwd()) / ".env"
    credentials, faults = read_credentials(environ, env_file)
    violations += faults
    if credentials is None:  # the URLs may stand in the file that is at fault
        return None, {}
    urls, faults = read_alert_urls(variables_of(alerts), environ, env_file, needed=to_trade)
    violations += faults
    return credentials, urls


def _mode(environ: Mapping[str, str], violations: list[Violation]) -> TradingMode:
    try:
        return trading_mode(environ)
    except InvalidConfiguration as error:
        violations += error.violations
        return TradingMode.SIMULATION


def _documents(
    directory: Path | None, violations: list[Violation]
) -> tuple[dict[str, Document], dict[str, Path | None]]:
    """Read every file from where it comes, noting what else lies in `directory`."""
    files = [file for file, _ in SECTIONS.values()]
    own = _own_files(directory, files, violations)
    documents = {file: read_document(own[file]) if file in own else shipped_document(file) for file in files}
    return documents, {file: own.get(file) for file in files}


def _own_files(directory: Path | None, files: list[str], violations: list[Violation]) -> dict[str, Path]:
    if directory is None:
        return {}
    try:
        present = sorted(directory.iterdir())
    except OSError as error:
        found = error.strerror or type(error).__name__
        violations.append(
            Violation(str(directory), "", found, "name a readable directory, or none for the defaults")
        )
        return {}
    for path in present:
        name = path.name
        if name in files or name.startswith(".") or name.endswith(("~", *COMPANIONS)) or path.is_dir():
            continue
        allowed = (
            f"{nearest(name, files)}allowed here: {', '.join(files)}, .env, *.py, *.key, *.md; move it away"
        )
        violations.append(Violation(name, "", "an unknown file", allowed))
    return {path.name: path for path in present if path.name in files}
