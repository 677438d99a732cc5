"""Every error that trainctl raises on purpose, with the exit code it ends in.

TrainctlError            1    the thing asked for failed
├── UsageError           2    the command line is wrong
├── ConfigError          3    a configuration file or variable is wrong
├── NotFoundError        4    a run, file or command does not exist
├── RefusedError         5    a guard refused: nothing was changed
│   └── IllegalTransitionError
├── ProviderError        6    a provider or the network failed
├── CredentialsError     7    a key is missing or was refused
└── BusyError            75   somebody else holds what is needed; asking again may help
"""

from __future__ import annotations


class TrainctlError(Exception):
    """The message says what happened; `hint` says what to type next."""

    exit_code = 1
    kind = "failed"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TrainctlError):
    exit_code = 2
    kind = "usage"


class ConfigError(TrainctlError):
    exit_code = 3
    kind = "configuration"


class NotFoundError(TrainctlError):
    exit_code = 4
    kind = "not_found"


class RefusedError(TrainctlError):
    exit_code = 5
    kind = "refused"


class IllegalTransitionError(RefusedError):
    kind = "illegal_transition"


class ProviderError(TrainctlError):
    exit_code = 6
    kind = "provider"


class CredentialsError(TrainctlError):
    exit_code = 7
    kind = "credentials"


class BusyError(TrainctlError):
    exit_code = 75
    kind = "busy"
