"""One tree of the errors that are the user's to mend; each knows its exit code.

Exit codes: 1 failed, 2 bad input or configuration, 3 a gate said no.
"""

from collections.abc import Sequence


class FerError(Exception):
    """Base of all errors with a message meant for the user.

    Args:
        message: what was expected, what came, where, and what to do about it.
        problems: everything that is wrong, one line each, when there is more than one thing.
    """

    exit_code = 1

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        """Keep the headline and the list of problems apart, so that they can be shown as a list."""
        self.message = message
        self.problems = tuple(problems)
        super().__init__(message, self.problems)

    def __str__(self) -> str:
        """The message, then one line a problem."""
        return "\n".join([self.message, *(f"  - {problem}" for problem in self.problems)])


class ConfigError(FerError):
    """An unknown recipe, key or value, or values that do not fit together."""

    exit_code = 2


class DataError(FerError):
    """The input data is not what its format promises."""

    exit_code = 2


class StoreError(FerError):
    """The artifact store can't be reached or written, or an artifact in it is absent or damaged."""

    exit_code = 2


class TrainingError(FerError):
    """Training could not go on (loss not finite, out of memory, no trial finished)."""


class GateError(FerError):
    """A gate (validation, promotion) looked at its input and said no."""

    exit_code = 3
