"""User-fixable errors, in one class hierarchy; each has an exit code.

Exit codes: 1 failure, 2 bad input or configuration, 3 rejected by a gate.
"""

from collections.abc import Sequence

from fer_models.redaction import without_credentials


class FerError(Exception):
    """Base of all errors with a message for the user, without the credentials of any URL in it.

    Args:
        message: what was expected, what was found, where, and how to fix it.
        problems: one line per problem, if there are several.
    """

    exit_code = 1

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        """Store the headline and the problems separately, so that they can be shown as a list."""
        self.message = without_credentials(message)
        self.problems = tuple(map(without_credentials, problems))
        super().__init__(self.message, self.problems)

    def __str__(self) -> str:
        """The message, then one line per problem."""
        return "\n".join([self.message, *(f"  - {problem}" for problem in self.problems)])


class ConfigError(FerError):
    """An unknown recipe, key or value, or incompatible values."""

    exit_code = 2


class DataError(FerError):
    """The input data violates its format."""

    exit_code = 2


class StoreError(FerError):
    """The artifact store can't be reached or written, or an artifact is missing or damaged."""

    exit_code = 2


class NotFoundError(StoreError):
    """Nothing, or more than one thing, matches a name that was asked for."""


class RunNotFoundError(NotFoundError):
    """No run of the store, or more than one, matches what was asked for."""


class TrainingError(FerError):
    """Training could not continue (loss not finite, out of memory, no trial finished)."""


class GateError(FerError):
    """A gate (validation, promotion) rejected its input."""

    exit_code = 3
