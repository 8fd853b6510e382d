"""Whether a run of another machine still runs is told by the file that its writer renews."""

import os
import time
from typing import Any

import pytest

from trivium.platform.errors import UserError
from trivium.platform.job import open_job, read_job
from trivium.platform.remote.publisher import ALIVE
from trivium.platform.run import DEAD_AFTER_S, RunFolder


@pytest.mark.parametrize(("age_s", "status"), [(5, "running"), (DEAD_AFTER_S + 5, "failed")])
def test_a_run_elsewhere_lives_as_long_as_its_sign_is_fresh(
    make_run: Any, age_s: float, status: str
) -> None:
    run = make_run(status="running", host="another-machine")
    sign = run.path / ALIVE
    sign.touch()
    then = time.time() - age_s
    os.utime(sign, (then, then))
    assert RunFolder(run.path).status == status


def test_a_trial_elsewhere_lives_by_the_sign_of_its_sweep(make_run: Any) -> None:
    parent = make_run("sweep-1", status="running", host="another-machine")
    folder = parent.path / "children" / "0"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text((parent.path / "run.json").read_text())
    sign = parent.path / ALIVE
    sign.touch()
    assert RunFolder(folder).status == "running"
    os.utime(sign, (0, 0))
    assert RunFolder(folder).status == "failed"


def test_without_a_sign_in_a_local_store_nobody_can_tell(make_run: Any) -> None:
    assert make_run(status="running", host="another-machine").status == "running"


def test_a_job_with_a_password_is_refused_where_it_stands(make_run: Any) -> None:
    file = make_run().path / "job.yaml"
    file.write_text(file.read_text() + "tracking: {mlflow: 'https://ada:secret@host'}\n")
    with pytest.raises(UserError) as caught:
        read_job(open_job(file))
    assert str(caught.value) == (
        f"{file}:15: tracking.mlflow: holds a password, which every run would keep in its files; "
        "leave it out and give it in the environment (MLflow: MLFLOW_TRACKING_USERNAME and "
        "MLFLOW_TRACKING_PASSWORD; PostgreSQL: PGPASSWORD or ~/.pgpass; S3: AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY)"
    )
