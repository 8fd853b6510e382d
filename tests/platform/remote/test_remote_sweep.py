"""A sweep in a remote store: its trials, its study, and going on with it from another machine."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from tests.platform.remote.test_remote_store import start, wait_until

from trivium.platform.store import Store

JOB = """\
name: sweep
dataset: {source: digits, split: {train: 0.8, validation: 0.1, test: 0.1}}
model: {name: mlp, hidden: [16]}
algorithm: {name: supervised, epochs: 12, batch_size: 16, optimizer: {name: adam, lr: 0.001}}
checkpoint: {interval_s: 0.3}
tune:
  search: random
  num_trials: 3
  max_concurrent: 1
  space: {algorithm.optimizer.lr: {loguniform: [1.0e-4, 1.0e-1]}}
  final: {top: 1, seeds: 2}
"""


@pytest.mark.timeout(900)
def test_a_killed_sweep_goes_on_from_another_machine_and_repeats_no_trial(
    s3, machine, tmp_path: Path, type_command
) -> None:
    uri = s3.new_store()
    file = tmp_path / "sweep.yaml"
    file.write_text(JOB)
    process = start("tune", file, "--store", uri, **machine("a"))

    def first_trial_ended() -> bool:
        assert process.poll() is None, process.communicate()[0]
        content = s3.files(uri).get("sweep-1/children/0/run.json", b"{}")
        return json.loads(content).get("status") == "finished"

    wait_until(first_trial_ended, 400)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    ended_at = json.loads(s3.files(uri)["sweep-1/children/0/run.json"])["ended"]
    machine("b")
    resumed = type_command("resume", "sweep-1", "--store", uri)
    assert resumed.code == 0, resumed.err
    files = s3.files(uri)
    trials = [json.loads(files[f"sweep-1/children/{n}/run.json"]) for n in range(3)]
    assert [t["status"] for t in trials] == ["finished"] * 3
    assert trials[0]["ended"] == ended_at, "a finished trial is not run again"
    assert json.loads(files["sweep-1/result.json"])["trials"] == {"finished": 3}
    assert files["sweep-1/study.log"] == (Store(uri).root / "sweep-1" / "study.log").read_bytes()
    machine("c")
    for words in (["runs"], ["show", "1"], ["why", "1"], ["evaluate", "sweep-1/0"]):
        assert type_command(*words, "--store", uri).code == 0, words
