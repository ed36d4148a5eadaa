"""Show the configuration as data: each key with its value, default, origin, meaning and range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr

from config.alerts import ALERT_URL
from config.credentials import Credentials, range_of_secret, variable_of
from config.documents import KeyPath, value_at
from config.fields import field_at, range_of, unit_of
from config.in_force import is_in_force
from config.loader import load, shipped_document
from config.settings import SECTIONS, Settings
from config.violations import InvalidConfiguration, key_path

if TYPE_CHECKING:
    from domain.strategies.protocol import StrategyDefinition

DEFAULT = "default"


def describe(settings: Settings) -> dict[str, Any]:
    """Return `settings` as JSON-ready data; of secrets only whether they are set.

    `files` maps each file to its `origin` ("default" or a path) and its `keys`; each key path has `value`, `default`
    (what the shipped file has there, None where it has nothing), `description`, `unit`, `range` and `in_force` (whether
    anything obeys it in this version).
    """
    content = settings.content()
    return {
        "mode": settings.mode.value,
        "fingerprint": settings.fingerprint,
        "directory": None if settings.directory is None else str(settings.directory),
        "files": {
            file: {
                "origin": _origin(settings.origins[file]),
                "keys": {
                    key_path(path): _key(file, model, path, value) for path, value in _leaves(content[name])
                },
            }
            for name, (file, model) in SECTIONS.items()
        },
        "secrets": {
            variable_of(name): _secret(settings.credentials, name) for name in Credentials.model_fields
        }
        | {name: _alert_url(settings, name) for name in settings.alert_urls},
    }


def validation_report(
    directory: Path | None,
    environ: Mapping[str, str],
    registry: Mapping[str, StrategyDefinition] | None = None,
) -> dict[str, Any]:
    """Return as JSON-ready data whether a configuration is accepted, and every violation when it is not."""
    report: dict[str, Any] = {
        "valid": True,
        "directory": None if directory is None else str(directory),
        "mode": None,
        "fingerprint": None,
        "files": {},
        "violations": [],
    }
    try:
        settings = load(directory, environ, registry)
    except InvalidConfiguration as error:
        return report | {
            "valid": False,
            "violations": [violation._asdict() for violation in error.violations],
        }
    origins = {file: _origin(path) for file, path in settings.origins.items()}
    return report | {"mode": settings.mode.value, "fingerprint": settings.fingerprint, "files": origins}


def _leaves(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """Yield the values that are no mappings or lists of mappings; what is optional and absent is left out."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    elif value is not None:
        yield path, value


def _key(file: str, model: type[BaseModel], path: KeyPath, value: object) -> dict[str, Any]:
    default = value_at(shipped_document(file).data, path)
    entry = {"value": value, "default": list(default) if isinstance(default, tuple) else default}
    field = field_at(model, path)
    about = (field.description or "", unit_of(field), range_of(field)) if field else ("", "", "")
    described = dict(zip(("description", "unit", "range"), about, strict=True))
    return entry | described | {"in_force": is_in_force(file, key_path(path))}


def _origin(path: Path | None) -> str:
    return DEFAULT if path is None else str(path)


def _alert_url(settings: Settings, variable: str) -> dict[str, Any]:
    ids = ", ".join(each.id for each in settings.alerts.channels if each.target == variable)
    return {"set": True, "description": f"Where alerts of {ids} go (alerts.yaml)", "range": ALERT_URL}


def _secret(credentials: Credentials, name: str) -> dict[str, Any]:
    value = getattr(credentials, name)
    return {
        "set": isinstance(value, SecretStr),
        "description": Credentials.model_fields[name].description,
        "range": range_of_secret(name),
    }
