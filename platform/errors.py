"""What can go wrong, as the user sees it: a place, a value, what would be right, the next step."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """One thing to mend in a job.

    `path` is the dotted path of the setting (`algorithm.optimizer.lr`), empty when the mistake
    belongs to the whole job; the command line adds the file and the line to it. `key` says that
    the mistake is the name of the setting rather than its value.
    """

    path: str
    message: str
    key: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class TriviumError(Exception):
    """Base of every error whose text is written for the user: shown without a traceback."""

    exit_code = 1


class UserError(TriviumError):
    """The user's to mend: a wrong job, a missing file or package, an unknown run. Exit code 2."""

    exit_code = 2

    def __init__(self, *mistakes: Mistake | str) -> None:
        self.mistakes = tuple(Mistake("", m) if isinstance(m, str) else m for m in mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))

    def __reduce__(self) -> tuple[type["UserError"], tuple[Mistake, ...]]:
        return (type(self), self.mistakes)  # errors travel from Ray workers by pickle

    @classmethod
    def at(cls, path: str, message: str) -> "UserError":
        """A single mistake in the setting at `path`."""
        return cls(Mistake(path, message))

    def under(self, prefix: str) -> "UserError":
        """The same mistakes, their paths below `prefix`."""
        return type(self)(*_below(prefix, self.mistakes))


class RunFailed(TriviumError):
    """The job was right but its run did not end well (a loss that is not finite). Exit code 1."""


def _below(prefix: str, mistakes: Iterable[Mistake]) -> list[Mistake]:
    return [Mistake(".".join(filter(None, (prefix, m.path))), m.message, m.key) for m in mistakes]


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?` when a known name is close to `name`, else an empty text."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    if not close:  # lr for learning_rate, tp for true_positive: initials are how people shorten
        close = [k for k in known if "".join(p[:1] for p in name.split("_")) == k][:1]
    return f"; did you mean {close[0]}?" if close else ""
