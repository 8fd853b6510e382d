"""Sweeps end to end through the command line, on a Ray of their own."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.tuning.conftest import write_sweep

from trivium.platform.run import RunFolder
from trivium.tuning.trials import trial_rows


def study_of(run: RunFolder) -> Any:
    from trivium.tuning.storage import load_study

    return load_study(run)


def test_a_sweep_finds_the_best_names_a_winner_and_outlives_failing_trials(
    tmp_path: Path, sweep_job: Path, type_command: Callable[..., Any]
) -> None:
    write_sweep(
        sweep_job,
        "num_trials: 12\n"
        "scheduler: {name: asha, reduction: 2}\n"
        "points: [{algorithm.x: 0.35, algorithm.kind: plain}, {algorithm.kind: fails},\n"
        "         {algorithm.kind: blank}]\n"
        "final: {top: 2, seeds: 2}\n"
        "space:\n"
        "  algorithm.x: {uniform: [0, 1]}\n"
        "  algorithm.kind: {choice: [plain, fails, blank]}\n"
        "  algorithm.y: {int: [0, 3], when: {algorithm.kind: plain}}",
    )
    store = tmp_path / "runs"
    tuned = type_command("tune", sweep_job, "--store", store)
    assert tuned.code == 0, tuned.err + tuned.out
    run = RunFolder(store / "parabola-1")
    assert run.status == "finished"
    rows = trial_rows(run)
    assert [r.number for r in rows] == list(range(12))
    # The first points came first, and every searched value arrived in the trainer's settings.
    assert rows[0].point["algorithm.x"] == 0.35
    for row, child in zip(rows, run.children()[-12:], strict=True):
        job = RunFolder(child.path).job().algorithm  # type: ignore[attr-defined]
        assert {k: getattr(job, k.removeprefix("algorithm.")) for k in row.point} == row.point
        assert ("algorithm.y" in row.point) == (row.point["algorithm.kind"] == "plain")
    assert (rows[1].status, rows[1].error) == ("failed", "x is out of luck")
    assert rows[2].status == "failed" or rows[2].value is None
    assert study_of(run).metric_names == ["validation/score"]
    states = [t.state.name for t in study_of(run).trials]
    assert states[1:3] == ["FAIL", "FAIL"]
    # The winner is known by name, by its interval, and against the job's own settings.
    result = run.result
    assert result["winner"] in {str(r.number) for r in rows}
    assert result["num_seeds"] == 2
    assert result["metrics"]["test/score"] == pytest.approx(0, abs=0.2)
    assert len(result["final"]) == 3
    assert "better than the job's own settings" in " ".join(result["final"])
    assert "best so far" in tuned.out

    shown = type_command("show", "last", "--store", store)
    assert shown.code == 0
    for title in ("Sweep", "Best", "Importance", "Not explored", "Final"):
        assert f"\n{title}" in shown.out
    listed = type_command("runs", "--store", store)
    assert "12/12 trials, " in listed.out.replace("\n", " ")

    trained = type_command("train", "--from", "parabola-1", "--trial", "0", "--store", store)
    assert trained.code == 0, trained.err
    again = RunFolder(store / "parabola-2").job()
    assert again.algorithm.x == 0.35  # type: ignore[attr-defined]
    assert again.tune is None
    wrong = type_command("train", "--from", "parabola-1", "--trial", "77", "--store", store)
    assert (wrong.code, wrong.err) == (2, "parabola-1 has no trial 77 (trials: 0 to 11)\n")


def test_a_killed_sweep_goes_on_without_repeating_or_forgetting(
    tmp_path: Path, sweep_job: Path, start_command: Callable[..., Any]
) -> None:
    write_sweep(
        sweep_job,
        "num_trials: 7\n"
        "search: random\n"
        "final: {top: 0}\n"
        "max_concurrent: 2\n"
        "space: {algorithm.x: {uniform: [0, 1]}}",
        ", reports: 8, report_s: 0.15",
    )
    store = tmp_path / "runs"
    run = store / "parabola-1"
    process = start_command("tune", sweep_job, "--store", store)
    try:
        wait_for(lambda: lines(run / "metrics.jsonl") >= 3, process)
        wait_for(lambda: half_done(run), process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert RunFolder(run).status == "failed"
    before = {r.number: r for r in trial_rows(RunFolder(run)) if r.status == "finished"}
    written = {n: result_time(run, n) for n in before}
    points = {r.number: r.point for r in trial_rows(RunFolder(run))}
    assert len(before) >= 3

    resumed = start_command("resume", "parabola-1", "--store", store)
    out, err = resumed.communicate(timeout=400)
    assert resumed.returncode == 0, out + err
    rows = {r.number: r for r in trial_rows(RunFolder(run))}
    assert len(rows) == 7
    assert {r.status for r in rows.values()} == {"finished"}
    assert {n: result_time(run, n) for n in before} == written
    assert {n: rows[n].point for n in points} == points
    # Each report stands once in each child, also of those that were under way.
    for number in rows:
        steps = [r["step"] for r in RunFolder(run / "children" / str(number)).metrics()]
        assert steps == list(range(1, 9))
    assert [t.state.name for t in study_of(RunFolder(run)).trials] == ["COMPLETE"] * 7
    for trial in study_of(RunFolder(run)).trials:
        assert trial.value == pytest.approx(rows[trial.number].value)


def test_mistakes_of_the_section_are_told_before_anything_starts(
    tmp_path: Path, sweep_job: Path, type_command: Callable[..., Any]
) -> None:
    write_sweep(
        sweep_job,
        "metric: validation/scor\n"
        "search: grid\n"
        "space: {algorithm.x: {uniform: [0, 2]}, algorithm.z: {int: [0, 1]}}",
    )
    tuned = type_command("tune", sweep_job, "--store", tmp_path / "runs")
    assert tuned.code == 2
    said = tuned.err.replace(f"{sweep_job}:", "").splitlines()
    assert said == [
        "4: tune.metric: 'validation/scor' is not reported; did you mean validation/score? "
        "(one of validation/score)",
        "6: tune.space.algorithm.x: must be at most 1, got 2.0",
        "6: tune.space.algorithm.z: unknown setting (settings here: name, x, y, kind, reports, "
        "report_s)",
        "6: tune.space.algorithm.x: a grid needs a finite number of values, uniform has more: use "
        "choice or quantized, or give the number of points as search: {name: grid, points: 5}",
    ]
    assert not (tmp_path / "runs").exists()


def half_done(run: Path) -> bool:
    """Some trial is under way, and has saved."""
    rows = [r for r in trial_rows(RunFolder(run)) if r.status == "running"]
    return any(2 <= r.num_reports <= 6 for r in rows)


def lines(file: Path) -> int:
    return file.read_text().count("\n") if file.is_file() else 0


def result_time(run: Path, number: int) -> int:
    file = run / "children" / str(number) / "result.json"
    assert json.loads(file.read_text())
    return file.stat().st_mtime_ns


def wait_for(condition: Callable[[], bool], process: Any, timeout_s: float = 400) -> None:
    until = time.monotonic() + timeout_s
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.02)


def test_a_trial_whose_worker_always_dies_has_failed_and_the_sweep_goes_on(
    tmp_path: Path, sweep_job: Path, type_command: Callable[..., Any]
) -> None:
    write_sweep(
        sweep_job,
        "num_trials: 2\n"
        "max_concurrent: 1\n"
        "scheduler: none\n"
        "final: {top: 0}\n"
        "points: [{algorithm.kind: dies}, {algorithm.kind: plain}]\n"
        "space:\n"
        "  algorithm.kind: {choice: [plain, dies]}",
    )
    store = tmp_path / "runs"
    tuned = type_command("tune", sweep_job, "--store", store)
    assert tuned.code == 0, tuned.err + tuned.out
    dead, whole = trial_rows(RunFolder(store / "parabola-1"))
    assert (dead.status, whole.status) == ("failed", "finished")
    assert dead.error == "the worker process died (killed, or out of memory)"
