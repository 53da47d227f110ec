"""Every exception that synthloom raises on purpose.

Each message says what must hold, what was found, and what to do. A user's mistake is a `SynthloomError`; an
`AssertionError` is ours.
"""

__all__ = [
    "DataError",
    "FileError",
    "ModelFileError",
    "NotFittedError",
    "SynthloomError",
    "TrainingError",
    "UsageError",
]


class SynthloomError(Exception):
    """The base of everything below: safe to show to a user as one line."""


class UsageError(SynthloomError, ValueError):
    """An option, knob or argument is not one that can be used."""


class DataError(SynthloomError, ValueError):
    """The data cannot be used as they are; names the column or row."""


class FileError(SynthloomError, OSError):
    """A data file cannot be read or written; names the file and, where it can, the line."""


class ModelFileError(FileError):
    """A model file or checkpoint is damaged, foreign, or from a newer format."""


class NotFittedError(SynthloomError):
    """A verb that needs a fitted model was called before `fit`."""


class TrainingError(SynthloomError, RuntimeError):
    """Training cannot go on, or cannot fit into this machine."""
