"""Read secrets from the environment or a `.env` file; they are never in YAML and never shown."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.mode import MODE_VARIABLE
from config.violations import Violation

PREFIX = "BREAKWATER_"
OTHERS_MAY = 0o077
"""Permission bits by which others than the owner read or change a file."""

SHAPES = {
    "audit_key": (r"[0-9a-fA-F]{64}", "64 hexadecimal digits"),
    "resume_code": (r"\S{8,200}", "8 to 200 characters, none of them a space"),
}
"""What each secret must look like: a pattern, and words for it."""


class Handed(BaseSettings):
    """Take the environment from the caller, who hands it over, in place of the process's own."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="ignore", frozen=True, env_file_encoding="utf-8", hide_input_in_errors=True
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put what is handed over before the `.env` file, and nothing else."""
        return init_settings, dotenv_settings


class Credentials(Handed):
    """Hold the secrets; each is None where it is not set. The environment goes before the `.env` file."""

    audit_key: SecretStr | None = Field(
        default=None, description="Key that signs the audit trail's checkpoints"
    )
    resume_code: SecretStr | None = Field(
        default=None, description="Code for lifting a halt; nothing demands it yet"
    )

    @field_validator("*")
    @classmethod
    def _shaped(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        pattern, allowed = SHAPES[str(info.field_name)]
        if value is not None and re.fullmatch(pattern, value.get_secret_value()) is None:
            raise ValueError(allowed)
        return value


class _ModeInFile(Handed):
    """Find out whether a `.env` file sets the mode."""

    model_config = SettingsConfigDict(env_prefix="")

    trading_mode: str | None = None


def read_credentials(
    environ: Mapping[str, str], env_file: Path
) -> tuple[Credentials | None, list[Violation]]:
    """Return the secrets, or None with what is wrong with them; a violation never holds a secret's text.

    `env_file` must be readable by its owner alone once it holds a secret. A TRADING_MODE in it is refused unless the
    environment says the same: import guards read the environment alone, and a mode that only half the engine sees
    would be worse than none.
    """
    values = {
        name: environ[variable]
        for name in Credentials.model_fields
        if (variable := variable_of(name)) in environ
    }
    # The classes' own signatures, as type checkers derive them, lack the settings library's underscored arguments.
    try:
        if env_file.exists() and not env_file.is_file():  # the settings library would wait for a pipe
            return None, [Violation(env_file.name, "", "no regular file", "make it a readable file in UTF-8")]
    except OSError as error:  # a folder whose name no file system takes
        allowed = "name a folder that exists"
        return None, [Violation(str(env_file.parent)[:200], "", error.strerror or str(error), allowed)]
    read: Any = Credentials
    read_mode: Any = _ModeInFile
    try:
        mode: str | None = read_mode(_env_file=env_file).trading_mode
        credentials: Credentials = read(_env_file=env_file, **values)
    except ValidationError as error:
        return None, [_violation(str(fault["loc"][0])) for fault in error.errors(include_input=False)]
    except (OSError, UnicodeDecodeError) as error:
        return None, [Violation(env_file.name, "", type(error).__name__, "make it a readable file in UTF-8")]
    faults: list[Violation] = []
    if mode is not None and mode != environ.get(MODE_VARIABLE):
        allowed = f"export {MODE_VARIABLE} instead: the mode comes from the environment alone"
        faults.append(Violation(env_file.name, MODE_VARIABLE, repr(mode), allowed))
    in_file = [name for name in SHAPES if getattr(credentials, name) is not None and name not in values]
    faults += refuse_open_file(env_file, in_file=bool(in_file))
    return (None if faults else credentials), faults


def refuse_open_file(env_file: Path, *, in_file: bool) -> list[Violation]:
    """Return the violation of a `.env` that others than its owner may read although it holds a secret (`in_file`)."""
    permissions = stat.S_IMODE(env_file.stat().st_mode) if in_file else 0
    if not permissions & OTHERS_MAY:
        return []
    allowed = f"others may read its secrets: run chmod 600 {env_file}"
    return [Violation(env_file.name, "", f"mode {permissions:04o}", allowed)]


def hand_over_audit_key(credentials: Credentials, environ: MutableMapping[str, str]) -> None:
    """Set the audit key in `environ` unless it is set there: the trail, in whichever process, takes it from there."""
    variable = variable_of("audit_key")
    if credentials.audit_key is not None and not environ.get(variable):
        environ[variable] = credentials.audit_key.get_secret_value()


def variable_of(name: str) -> str:
    """Return the environment variable that sets the secret `name`."""
    return PREFIX + name.upper()


def range_of_secret(name: str) -> str:
    """Return what the secret `name` allows, in words."""
    return SHAPES[name][1]


def _violation(name: str) -> Violation:
    return Violation("environment", variable_of(name), "(not shown)", f"allowed: {range_of_secret(name)}")
