"""How many threads a worker may take."""

import pytest

from trivium.platform.job import Resources
from trivium.trainers.supervised import work
from trivium.trainers.supervised.job import SupervisedJob


@pytest.mark.parametrize(
    ("num_workers", "told", "threads"),
    [
        (1, None, 8),
        (4, None, 2),
        (16, None, 1),
        (4, "8", 8),  # one of four workers, each with a machine of its own
        (4, "2", 2),
        (1, "64", 8),
        (1, "no number", 8),
    ],
)
def test_a_worker_takes_what_it_was_told_or_its_share(
    monkeypatch: pytest.MonkeyPatch, num_workers: int, told: str | None, threads: int
) -> None:
    monkeypatch.setattr(work, "num_cores", lambda: 8)
    if told is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", told)
    job = SupervisedJob.model_construct(resources=Resources(num_workers=num_workers))
    assert work.available_threads(job) == threads
