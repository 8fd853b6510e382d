"""A store on a real S3 server: written, killed, resumed elsewhere, the server down or failing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trivium.platform.remote.bucket import Bucket
from trivium.platform.remote.working_copy import is_safe
from trivium.platform.store import Store

JOB = """\
name: digits
dataset: {source: digits, split: {train: 0.8, validation: 0.1, test: 0.1}}
model: {name: mlp, hidden: [16]}
algorithm: {name: supervised, epochs: %d, batch_size: 8}
checkpoint: {interval_s: 0.3}
"""
TRIVIUM = [sys.executable, "-m", "trivium.platform.cli"]


@pytest.fixture
def job(tmp_path: Path) -> Callable[[int], Path]:
    """A job file of so many epochs."""

    def write(epochs: int = 3) -> Path:
        file = tmp_path / f"digits-{epochs}.yaml"
        file.write_text(JOB % epochs)
        return file

    return write


def start(*words: object, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [*TRIVIUM, *map(str, words)],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def wait_until(is_so: Callable[[], bool], timeout_s: float = 120.0) -> None:
    until = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


def published(store: Bucket, run: str, name: str = "last") -> int:
    """The step of the published checkpoint, 0 without one."""
    content = store.get(f"{run}/checkpoints/{name}/manifest.json")
    return int(json.loads(content)["step"]) if content else 0


def test_a_run_is_read_as_a_whole_on_another_machine(s3, machine, job, type_command) -> None:
    uri = s3.new_store()
    machine("a")
    trained = type_command("train", job(), "--store", uri)
    assert trained.code == 0, trained.err
    here = Store(uri).root
    machine("b")
    assert Store(uri).root != here
    assert "digits-1" in type_command("runs", "--store", uri).out
    for verb in ("show", "why", "evaluate", "export"):
        typed = type_command(verb, "digits-1", "--store", uri)
        assert typed.code == 0, (verb, typed.err)
    assert any(k.startswith("digits-1/export/") for k in s3.files(uri))
    again = type_command("reproduce", "1", "--store", uri)
    assert again.code == 0, again.err
    differ = type_command("diff", "1", "2", "--store", uri, "--json")
    assert differ.code == 0 and json.loads(differ.out)["settings"] == []


def test_in_the_store_a_checkpoint_has_one_whole_set_of_files(s3, machine, job, type_command):
    uri = s3.new_store()
    machine("a")
    assert type_command("train", job(), "--store", uri).code == 0
    files = s3.files(uri)
    for name in ("best", "last"):
        manifest = json.loads(files[f"digits-1/checkpoints/{name}/manifest.json"])
        found = {k for k in files if k.startswith(f"digits-1/checkpoints/{name}.")}
        folder = f"digits-1/checkpoints/{manifest['folder']}"
        assert found == {f"{folder}/{f}" for f in manifest["files"]}
    assert not [k for k in files if "alive" in k or "/." in k]
    assert json.loads(files["digits-1/run.json"])["status"] == "finished"


def test_killed_it_goes_on_from_another_machine_to_the_same_numbers(
    s3, machine, job, type_command
) -> None:
    uri = s3.new_store()
    store = Bucket(uri)
    env = machine("whole")
    assert type_command("train", job(60), "--store", uri).code == 0
    env = machine("a")
    process = start("train", job(60), "--store", uri, **env)
    wait_until(lambda: published(store, "digits-2") > 0)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    reached = published(store, "digits-2")
    machine("b")
    resumed = type_command("resume", "digits-2", "--store", uri)
    assert resumed.code == 0, resumed.err
    assert f"resumed from step {reached:,}" in resumed.out
    whole, again = (json.loads(s3.files(uri)[f"digits-{n}/result.json"]) for n in (1, 2))
    assert again["metrics"] == whole["metrics"]
    curves = [s3.files(uri)[f"digits-{n}/metrics.jsonl"].splitlines() for n in (1, 2)]
    steps = [[json.loads(line)["step"] for line in c] for c in curves]
    assert steps[0] == steps[1]
    # The first machine's copy is older now: it is not published over what came after.
    machine("a")
    late = type_command("publish", "digits-2", "--store", uri)
    assert late.code == 2 and "digits-2 went on elsewhere" in late.err


def test_a_server_that_dies_for_ten_seconds_is_waited_for_and_training_goes_on(
    s3, machine, job
) -> None:
    uri = s3.new_store()
    store = Bucket(uri)
    env = machine("a")
    process = start("train", job(100_000), "--store", uri, **env)  # ends when it is told to
    here = Store(uri).root / "digits-1" / "metrics.jsonl"
    wait_until(lambda: published(store, "digits-1") > 0 and here.exists())
    s3.down()
    before = here.read_text().count("\n")
    time.sleep(10)
    during = here.read_text().count("\n")
    s3.up()
    after = published(store, "digits-1")
    wait_until(lambda: published(store, "digits-1") > after, 60)
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=120)
    assert during > before + 3, "training waited for the store"
    assert printed.count("Training goes on; all of it is kept in") == 1
    assert "answers again; all is published" in printed
    assert process.returncode == 130
    files = s3.files(uri)
    assert files["digits-1/metrics.jsonl"] == here.read_bytes()
    assert json.loads(files["digits-1/run.json"])["status"] == "stopped"


def test_a_store_that_fails_loses_nothing_and_says_how_to_publish(
    s3, machine, job, type_command, monkeypatch
) -> None:
    monkeypatch.setattr("trivium.platform.remote.publisher.PATIENCE_S", 1.0)
    uri = s3.new_store()
    machine("a")
    s3_files = s3.files

    class FailsAfterFirstReport:
        """A listener that breaks the store when the run has reported once."""

    from trivium.platform.run_writer import RunWriter

    report = RunWriter.report

    def report_and_break(self, *args, **kwargs):
        report(self, *args, **kwargs)
        s3.fail(500)

    monkeypatch.setattr(RunWriter, "report", report_and_break)
    typed = type_command("train", job(3), "--store", uri)
    folder = Store(uri).root / "digits-1"
    assert typed.code == 1
    assert typed.err.strip() == (
        f"store {uri}: does not answer as it should (UNKNOWN (HTTP status 500) during HeadObject "
        f"operation: No response body). digits-1 could not be published whole; what is in the "
        f"store of it stays usable, and all of it lies in {folder}: "
        f"`trivium publish digits-1 --store '{uri}'` publishes it"
    )
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    s3.fail(None)
    assert json.loads(s3_files(uri).get("digits-1/run.json", b"{}")).get("status") != "finished"
    sent = type_command("publish", "digits-1", "--store", uri)
    assert sent.code == 0, sent.err
    machine("b")
    assert type_command("evaluate", "digits-1", "--store", uri).code == 0


def test_a_checkpoint_cut_off_while_it_is_sent_leaves_the_one_before(
    s3, machine, job, type_command, monkeypatch
) -> None:
    uri = s3.new_store()
    machine("a")
    assert type_command("train", job(2), "--store", uri).code == 0
    store = Bucket(uri)
    manifest = json.loads(store.get("digits-1/checkpoints/best/manifest.json") or b"")
    store.put("digits-1/checkpoints/best.999-deadbeef/weights.safetensors", b"torn")
    machine("b")
    assert type_command("evaluate", "1", "--store", uri).code == 0
    # A manifest whose files are not what it says is refused.
    place = f"digits-1/checkpoints/{manifest['folder']}/weights.safetensors"
    content = store.get(place) or b""
    store.put(place, content[:-1] + b"x")
    machine("c")
    typed = type_command("evaluate", "1", "--store", uri)
    assert typed.code == 1
    assert typed.err.strip() == (
        f"{uri}/digits-1/checkpoints/best/weights.safetensors: is not what was published"
    )


def test_no_bucket_is_told_before_anything_starts(s3, machine, job, type_command) -> None:
    machine("a")
    typed = type_command("train", job(), "--store", "s3://nobody-has-this/runs")
    assert (typed.code, typed.err.strip()) == (
        2,
        "store s3://nobody-has-this/runs: there is no such bucket; make it, or mend the name",
    )


def test_refused_credentials_are_told_with_the_ways_to_give_them(
    s3, machine, job, type_command
) -> None:
    machine("a")
    uri = s3.new_store()
    s3.fail(403)
    typed = type_command("runs", "--store", uri)
    assert (typed.code, typed.err.strip()) == (
        2,
        f"store {uri}: access is denied (ACCESS_DENIED during ListObjectsV2 operation: No response "
        "body). Give credentials in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "AWS_PROFILE, GOOGLE_APPLICATION_CREDENTIALS) or a role to the machine; they must allow to "
        "list, read, write and delete there",
    )


def test_a_store_that_is_no_store_is_a_mistake(type_command) -> None:
    typed = type_command("runs", "--store", "ftp://host/runs")
    assert typed.code == 2
    assert typed.err.startswith("store ftp://host/runs: Unrecognized filesystem type in URI")
    climbing = type_command("runs", "--store", "s3://bucket/../other")
    assert climbing.err.strip() == "store s3://bucket/../other: must not contain '..'"


def test_two_machines_never_get_the_same_number(s3, machine) -> None:
    uri = s3.new_store()
    machine("a")
    first = Store(uri).create("digits")
    machine("b")
    second = Store(uri).create("digits")
    assert [first.id, second.id] == ["digits-1", "digits-2"]


@pytest.mark.parametrize("name", ["../../evil", "..", "a/../../b", "/etc/x", "a\\..\\b", ""])
def test_a_name_from_the_store_cannot_climb_out_of_the_run(name: str) -> None:
    assert not is_safe(name)


def test_a_manifest_that_names_files_elsewhere_is_refused(s3, machine, job, type_command) -> None:
    uri = s3.new_store()
    machine("a")
    assert type_command("train", job(1), "--store", uri).code == 0
    store = Bucket(uri)
    key = "digits-1/checkpoints/best/manifest.json"
    manifest = json.loads(store.get(key) or b"")
    for change in (
        {"files": {"../../../evil": [1, "00"]}},
        {"folder": "../../digits-2"},
    ):
        store.put(key, json.dumps(manifest | change).encode())
        machine(f"b-{len(change)}")
        typed = type_command("evaluate", "1", "--store", uri)
        assert typed.code == 1
        assert typed.err.strip() == f"{uri}/digits-1: {key} names files outside of its folder"


def test_keys_in_a_uri_reach_no_file_and_no_screen(s3, machine, job, type_command) -> None:
    uri = s3.new_store()
    machine("a")
    keyed = uri.replace("s3://", "s3://AKIAIOSFODNN7EXAMPLE:verysecretkey@")
    typed = type_command("train", job(1), "--store", keyed)
    assert typed.code == 0, typed.err
    written = b"".join(s3.files(uri).values()).decode("utf-8", "replace")
    for text in (typed.out, typed.err, written, str(Store(keyed).root)):
        assert "verysecretkey" not in text and "AKIAIOSFODNN7EXAMPLE" not in text
    assert "s3://***@bucket" in typed.out
