"""Sweeps in rounds and with several aims end to end, through the command line."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.tuning.conftest import write_sweep
from tests.tuning.test_sweep import lines, study_of, wait_for

from trivium.platform.run import RunFolder
from trivium.tuning.rounds import read_rounds
from trivium.tuning.takeover import stages_of
from trivium.tuning.trials import trial_rows

POPULATION = """\
num_trials: 4
search: random
scheduler: {name: pbt, interval_reports: 2}
final: {top: 1, seeds: 2}
max_concurrent: 2
space: {algorithm.x: {uniform: [0, 1]}}"""


def score_by(x: float, report: int, reports: int) -> float:
    return -((x - 0.3) ** 2) - 0.1 * (reports - report)


def test_a_killed_population_goes_on_in_its_round_and_says_what_was_used_when(
    tmp_path: Path,
    sweep_job: Path,
    start_command: Callable[..., Any],
    type_command: Callable[..., Any],
) -> None:
    write_sweep(sweep_job, POPULATION, ", reports: 6, report_s: 0.15")
    store = tmp_path / "runs"
    folder = store / "parabola-1"
    process = start_command("tune", sweep_job, "--store", store)
    try:
        wait_for(lambda: lines(folder / "rounds.jsonl") >= 2, process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = read_rounds(RunFolder(folder))
    resumed = start_command("resume", "parabola-1", "--store", store)
    out, err = resumed.communicate(timeout=400)
    assert resumed.returncode == 0, out + err

    run = RunFolder(folder)
    rounds = read_rounds(run)
    assert rounds[: len(before)] == before
    assert [r.until for r in rounds] == [2, 4, 6]
    assert all(len(r.takes) == 1 for r in rounds[1:])
    rows = trial_rows(run)
    assert [(r.number, r.status) for r in rows] == [(n, "finished") for n in range(4)]
    assert [t.state.name for t in study_of(run).trials] == ["COMPLETE"] * 4
    for row in rows:
        child = RunFolder(folder / "children" / str(row.number))
        records = child.metrics()
        assert [r["step"] for r in records] == list(range(1, 7))
        # Every report was made with the settings that the stages name for it.
        stages = stages_of(child)
        for record in records:
            stage = [s for s in stages if s.reports < record["step"]][-1]
            expected = score_by(stage.settings["algorithm.x"], record["step"], 6)
            assert record["validation/score"] == pytest.approx(expected, abs=1e-3)
        assert stages[-1].settings == row.point
        assert child.job().algorithm.x == row.point["algorithm.x"]  # type: ignore[attr-defined]
    taken = [t for r in rounds for t in r.takes]
    assert any(len(stages_of(RunFolder(folder / "children" / str(t.trial)))) > 1 for t in taken)

    # The final repeats the winner's settings over time on fresh seeds.
    best = run.result["best_trial"]
    again = RunFolder(folder / "children" / f"{best}-seed0")
    stages = stages_of(RunFolder(folder / "children" / str(best)))
    for record in again.metrics():
        stage = [s for s in stages if s.reports < record["step"]][-1]
        expected = score_by(stage.settings["algorithm.x"], record["step"], 6)
        assert record["validation/score"] == pytest.approx(expected, abs=1e-3)
    if len(stages) > 1:
        refused = type_command("train", "--from", "parabola-1", "--trial", best, "--store", store)
        assert (refused.code, refused.err) == (
            2,
            f"the settings of trial {best} changed while it trained, so that no job has them; its "
            f"trained model is a run of its own: trivium evaluate parabola-1/{best}\n",
        )


def test_several_aims_have_a_front_and_no_winner(
    tmp_path: Path, sweep_job: Path, type_command: Callable[..., Any]
) -> None:
    write_sweep(
        sweep_job,
        "num_trials: 8\n"
        "metrics: [size, validation/score]\n"
        "points: [{algorithm.x: 0.3, algorithm.y: 0}, {algorithm.x: 0.3, algorithm.y: 3}]\n"
        "space: {algorithm.x: {uniform: [0, 1]}, algorithm.y: {int: [0, 3]}}",
    )
    store = tmp_path / "runs"
    tuned = type_command("tune", sweep_job, "--store", store)
    assert tuned.code == 0, tuned.err + tuned.out
    run = RunFolder(store / "parabola-1")
    front = {f["trial"]: f for f in run.result["front"]}
    assert {0, 1} <= set(front)
    assert front[1]["size"] == 7.0
    assert run.result["winner"] is None
    values = [t.values for t in study_of(run).trials]
    assert values[1] == pytest.approx([-0.03, 7.0], abs=1e-3)
    shown = type_command("show", "last", "--store", store)
    assert "\nPareto front" in shown.out
    titles = [e["title"] for e in json.loads((run.path / "exhibits.json").read_text())]
    assert titles.count("Pareto front") == 1
    refused = type_command("train", "--from", "parabola-1", "--store", store)
    assert refused.code == 2
    assert refused.err.startswith("parabola-1 has several aims and no winner: choose of its")
    chosen = type_command("train", "--from", "parabola-1", "--trial", "1", "--store", store)
    assert chosen.code == 0, chosen.err


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        (
            "metrics: [size, validation/score]\nscheduler: asha\n"
            "space: {algorithm.x: {int: [0, 1]}}",
            "3: tune: scheduler: asha compares trials by one metric while they train; with metrics "
            "every trial trains to its end: leave scheduler out",
        ),
        (
            "metrics: [size, validation/score]\nmetric: size\nspace: {algorithm.x: {int: [0, 1]}}",
            "3: tune: metrics: has no effect beside metric and mode: keep one way",
        ),
        (
            "scheduler: pbt\nspace: {algorithm.reports: {int: [1, 9]}}",
            "5: tune.space.algorithm.reports: cannot change while it trains, so that "
            "population-based training cannot search it: a checkpoint would not fit, or would not "
            "show it (those of FILE:Quadratic that can: algorithm.x, algorithm.y); give it a "
            "value, or use another scheduler",
        ),
        (
            "scheduler: pbt\nseeds: 2\nspace: {algorithm.x: {uniform: [0, 1]}}",
            "5: tune.seeds: pbt stops trainings on their way, so that a trial has to be a single "
            "one",
        ),
    ],
)
def test_what_does_not_go_together_is_told(
    tmp_path: Path, sweep_job: Path, type_command: Callable[..., Any], tune: str, message: str
) -> None:
    write_sweep(sweep_job, tune)
    tuned = type_command("tune", sweep_job, "--store", tmp_path / "runs")
    said = tuned.err.replace(f"{sweep_job}:", "")
    said = said.replace(str(sweep_job.with_name("quadratic.py")), "FILE")
    assert (tuned.code, said) == (2, f"{message}\n")


def test_synchronous_hyperband_stops_the_worst_and_keeps_their_best(
    tmp_path: Path, sweep_job: Path, type_command: Callable[..., Any]
) -> None:
    write_sweep(
        sweep_job,
        "num_trials: 3\n"
        "scheduler: {name: synchronous_hyperband, max_reports: 3}\n"
        "final: {top: 0}\n"
        "points: [{algorithm.x: 0.9}, {algorithm.x: 0.3}, {algorithm.x: 0.6}]\n"
        "space: {algorithm.x: {uniform: [0, 1]}}",
    )
    tuned = type_command("tune", sweep_job, "--store", tmp_path / "runs")
    assert tuned.code == 0, tuned.err + tuned.out
    run = RunFolder(tmp_path / "runs" / "parabola-1")
    rows = trial_rows(run)
    assert [(r.status, r.num_reports) for r in rows] == [
        ("stopped early", 1),
        ("finished", 3),
        ("stopped early", 1),
    ]
    assert [t.state.name for t in study_of(run).trials] == ["PRUNED", "COMPLETE", "PRUNED"]
    assert all(RunFolder(c.path).checkpoint("best") is not None for c in run.children())
