"""Where a sweep's study lies: a journal file in its run folder, or an Optuna storage for a team."""

import warnings
from typing import TYPE_CHECKING

from trivium.platform.errors import UserError
from trivium.platform.run import RunFolder

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from optuna.study import Study

JOURNAL = "study.log"


def open_storage(run: RunFolder, url: str | None) -> "BaseStorage":
    """The storage of a sweep's study: a journal file in its folder, or one for a team.

    Raises:
        UserError: the URL cannot be opened.
    """
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if url is None:
            return JournalStorage(JournalFileBackend(str(run.path / JOURNAL)))
        try:
            return RDBStorage(url)
        except Exception as error:
            message = f"{url}: cannot be opened: {type(error).__name__}: {error}"
            raise UserError.at("tune.storage", message) from None


def load_study(run: RunFolder, url: str | None = None) -> "Study":
    """The study of a sweep, to read.

    Raises:
        UserError: it has none yet.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if url is None and not (run.path / JOURNAL).is_file():
        raise UserError(f"{run.id} has no study yet")
    return optuna.load_study(study_name=run.id, storage=open_storage(run, url))
