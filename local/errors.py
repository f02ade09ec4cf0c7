"""What ends the service with one sentence instead of a traceback."""


class LocalError(Exception):
    """Something on this machine is missing or in the way; the message says what to do."""

    exit_status = 1
