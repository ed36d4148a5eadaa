"""The tree of exceptions.

BreakwaterError
├── Recoverable             the engine goes on; the shell reports it and the failure tracker counts it
│   ├── BrokerUnavailable   the venue cannot be reached or did not answer in time
│   ├── MailboxFull         a role's queue is full, so a message was refused
│   ├── CodecError          a value cannot be encoded, or bytes are not a message
│   ├── Busy                a role's process is there but did not answer in time
│   ├── NotRunning          a command needs a running engine and found none
│   ├── CommandRefused      a person's command is not carried out, for a reason that the text says
│   └── Interrupted         SIGINT ended a command that undid what it had begun
└── Fatal                   the process stops, and an unknown failure halts the account
    ├── ConfigurationError  the configuration, a command's argument or an input file is refused
    │   └── DataError       market data cannot be used
    ├── StateError          the state directory is in use, of another session, or corrupt
    ├── DurabilityError     a durable write failed; never retried
    ├── AuditError          the audit trail does not verify
    ├── Unanswered          a role did not answer another, however often it was asked
    ├── EnvironmentFault    the machine lacks something: shared library, shared memory, disk
    └── InvariantViolation  the engine contradicts itself

Each class carries the exit code with which a command that meets it ends.
"""

from __future__ import annotations

from typing import ClassVar


class BreakwaterError(Exception):
    """Be the root of every exception the engine raises by itself."""

    exit_code: ClassVar[int] = 1


class Recoverable(BreakwaterError):
    """Mark a failure that the engine survives."""


class BrokerUnavailable(Recoverable):
    """Say that the venue cannot be reached or did not answer in time."""

    exit_code = 5


class MailboxFull(Recoverable):
    """Say that a role's queue is full: the message was refused and is lost, which is a reported fault."""


class CodecError(Recoverable):
    """Refuse to encode a value, or to take bytes for one; the text says where and why."""


class Busy(Recoverable):
    """Say that a role's process is there but did not answer in time: it may yet."""

    exit_code = 5


class NotRunning(Recoverable):
    """Say that a command needs a running engine and found none."""

    exit_code = 3


class CommandRefused(Recoverable):
    """Refuse a person's command; the text says why and what is allowed."""


class Interrupted(Recoverable):
    """Say that SIGINT ended a command, which undid what it had begun."""

    exit_code = 130


class Fatal(BreakwaterError):
    """Mark a failure after which the process must not go on."""


class ConfigurationError(Fatal):
    """Refuse a configuration, an argument or an input; the text lists every violation."""

    exit_code = 4


class DataError(ConfigurationError):
    """Refuse market data."""


class StateError(Fatal):
    """Refuse a state directory: in use, of another session, or corrupt."""

    exit_code = 4


class DurabilityError(Fatal):
    """Report a failed durable write; what follows it must not happen and it is never retried."""


class AuditError(Fatal):
    """Report an audit trail that does not verify."""


class Unanswered(Fatal):
    """Report that a role did not answer another, however often it was asked: the engine would wait for ever."""


class EnvironmentFault(Fatal):
    """Report what the machine lacks: a shared library, shared memory, disk space."""

    exit_code = 4


class InvariantViolation(Fatal):
    """Report that the engine contradicts itself."""
