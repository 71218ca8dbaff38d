"""The errors a user can meet, each with the exit code the command line gives it.

Every message is one paragraph: what happened, where, and what to do. Nothing here formats or
prints; the command line does.
"""


class ArvoError(Exception):
    """Anything arvo can explain in one paragraph; its message is what the user reads."""

    exit_code = 3


class ConfigurationError(ArvoError):
    """The publisher's configuration or the command's usage is wrong."""

    exit_code = 2


class RefusedError(ArvoError):
    """The data was refused: by landing's row rules, by a dbt test or by the gate."""

    exit_code = 1


class SystemFailure(ArvoError):
    """A source or the system failed: a file vanished, the disk is full, the home is locked."""

    exit_code = 3
