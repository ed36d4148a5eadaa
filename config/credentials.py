"""Read secrets from the environment or a `.env` file; they are never in YAML and never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.mode import MODE_VARIABLE
from config.violations import Violation

PREFIX = "BREAKWATER_"
LONGEST = 4096


def _secret(description: str, *, shortest: int) -> Any:
    allowed = f"{shortest} to {LONGEST} characters"
    return Field(
        default=None,
        description=description,
        min_length=shortest,
        max_length=LONGEST,
        json_schema_extra={"range": allowed},
    )


def range_of_secret(name: str) -> str:
    """Return what the secret `name` allows, in words."""
    extra = Credentials.model_fields[name].json_schema_extra
    return str(extra["range"]) if isinstance(extra, dict) else ""


class _Handed(BaseSettings):
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


class Credentials(_Handed):
    """Hold the secrets; each is None where it is not set. The environment goes before the `.env` file."""

    audit_key: SecretStr | None = _secret("Key that signs the audit trail's checkpoints", shortest=16)
    resume_code: SecretStr | None = _secret("Code that lifting a halt demands", shortest=8)


class _ModeInFile(_Handed):
    """Find out whether a `.env` file sets the mode."""

    model_config = SettingsConfigDict(env_prefix="")

    trading_mode: str | None = None


def read_credentials(
    environ: Mapping[str, str], env_file: Path
) -> tuple[Credentials | None, list[Violation]]:
    """Return the secrets, or None with what is wrong with them; a violation never holds a secret's text.

    A TRADING_MODE in `env_file` is refused unless the environment says the same: import guards read the environment
    alone, and a mode that only half the engine sees would be worse than none.
    """
    values = {
        name: environ[variable]
        for name in Credentials.model_fields
        if (variable := variable_of(name)) in environ
    }
    # The classes' own signatures, as type checkers derive them, lack the settings library's underscored arguments.
    read: Any = Credentials
    read_mode: Any = _ModeInFile
    try:
        mode: str | None = read_mode(_env_file=env_file).trading_mode
        credentials: Credentials = read(_env_file=env_file, **values)
    except ValidationError as error:
        return None, [_violation(str(fault["loc"][0])) for fault in error.errors(include_input=False)]
    except (OSError, UnicodeDecodeError) as error:
        return None, [Violation(env_file.name, "", type(error).__name__, "make it a readable file in UTF-8")]
    if mode is not None and mode != environ.get(MODE_VARIABLE):
        allowed = f"export {MODE_VARIABLE} instead: the mode comes from the environment alone"
        return None, [Violation(env_file.name, MODE_VARIABLE, repr(mode), allowed)]
    return credentials, []


def variable_of(name: str) -> str:
    """Return the environment variable that sets the secret `name`."""
    return PREFIX + name.upper()


def _violation(name: str) -> Violation:
    return Violation("environment", variable_of(name), "(not shown)", f"allowed: {range_of_secret(name)}")
