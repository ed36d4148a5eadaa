"""Sign checkpoints with Ed25519, by a key that lives outside the state directory.

Ed25519 rather than an HMAC: whoever verifies needs the public key only and gains no power to forge.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

import platformdirs
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from domain.errors import ConfigurationError, EnvironmentFault

KEY_VARIABLE = "BREAKWATER_AUDIT_KEY"
_BYTES = 32


def default_key_path() -> Path:
    """Return where the signing key lives unless the environment holds it."""
    return platformdirs.user_config_path("breakwater") / "audit.key"


class Verifier:
    """Check signatures; `key_id` is the public key in hex, by which checkpoints name their signer."""

    def __init__(self, public: bytes) -> None:
        """Hold the 32 bytes of a public key."""
        self._key = Ed25519PublicKey.from_public_bytes(public)
        self.key_id = public.hex()

    def holds(self, content: bytes, signature: str) -> bool:
        """Tell whether `signature` (hex) is this key's over `content`."""
        try:
            self._key.verify(bytes.fromhex(signature), content)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """Sign; the secret never leaves this object."""

    def __init__(self, secret: bytes) -> None:
        """Hold the 32 bytes of a secret key."""
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.verifier = Verifier(self._key.public_key().public_bytes_raw())

    def sign(self, content: bytes) -> str:
        """Return the signature over `content`, in hex."""
        return self._key.sign(content).hex()


def load_signer(
    environment: Mapping[str, str] | None = None, path: Path | None = None, *, create: bool = False
) -> Signer:
    """Return the signer of `BREAKWATER_AUDIT_KEY` (64 hex digits), else of the key file, made when `create`.

    Raises ConfigurationError when the key is no key or others may read it, EnvironmentFault when there is none.
    """
    given = (os.environ if environment is None else environment).get(KEY_VARIABLE, "")
    if given:
        return Signer(_secret(given, f"environment variable {KEY_VARIABLE}"))
    place = path or default_key_path()
    if not place.exists():
        if not create:
            raise EnvironmentFault(
                f"no audit key: {place} does not exist and {KEY_VARIABLE} is not set; checkpoints can be neither "
                f"signed nor verified. Give the key of the machine that wrote the trail."
            )
        _create(place)
    mode = stat.S_IMODE(place.stat().st_mode)
    if mode & 0o077:
        raise ConfigurationError(
            f"{place} has mode {mode:04o}: others may read the audit key; run chmod 600 {place}"
        )
    return Signer(_secret(place.read_text("ascii", errors="replace"), str(place)))


def _secret(text: str, where: str) -> bytes:
    try:
        secret = bytes.fromhex(text.strip())
    except ValueError:
        secret = b""
    if len(secret) != _BYTES:
        raise ConfigurationError(f"{where} holds no audit key: expected {2 * _BYTES} hexadecimal digits")
    return secret


def _create(place: Path) -> None:
    """Write a new key whole or not at all, also when two processes begin at once."""
    draft = place.with_name(f"{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_BYTES).hex().encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, place)
        except FileExistsError:
            return
        finally:
            draft.unlink()
    except OSError as error:
        raise EnvironmentFault(
            f"{place} cannot be made: {error.strerror or error}; set {KEY_VARIABLE} to {2 * _BYTES} hexadecimal digits"
        ) from error
