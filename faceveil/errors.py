"""The few errors faceveil raises on purpose: each says what was wrong, where, and what to do."""


class FaceveilError(Exception):
    """Base of every error a user can act on; `exit_code` is what the command answers with."""

    exit_code = 1


class UsageError(FaceveilError):
    """Options that contradict each other or name something that does not exist."""

    exit_code = 2


class InputError(FaceveilError):
    """A video, picture, photo or JSON file that cannot be used."""

    exit_code = 3


class CoverageError(FaceveilError):
    """A detected face would have stayed visible although it was to be veiled ("coverage")."""

    exit_code = 4


class VerificationError(CoverageError):
    """The rendered output shows a face that must be veiled ("verify")."""


class OutputError(FaceveilError):
    """The output cannot be written: no space, no permission, or it would overwrite the input."""

    exit_code = 5


class WeightsError(FaceveilError):
    """A network's weights are missing, corrupt or cannot be fetched."""

    exit_code = 6


class LicenceError(WeightsError):
    """A network's licence does not allow the use and the user has not accepted it."""
