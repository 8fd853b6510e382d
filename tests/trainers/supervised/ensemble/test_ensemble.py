"""Ensembles by the command line: built, scored, evaluated, exported, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from trivium.platform.run import RunFolder
from trivium.trainers.supervised.ensemble.members import read_member

DIGITS = """\
name: digits
dataset: {source: digits, split: {train: 0.5, validation: 0.25, test: 0.25}}
model: {name: mlp, hidden: [8]}
algorithm: {name: supervised, epochs: 4, batch_size: 32, optimizer: {name: adam, lr: 0.01}}
"""
DIABETES = """\
name: diabetes
dataset: {source: diabetes, split: {test: 0.2}}
model: {name: mlp, hidden: [8]}
algorithm: {name: supervised, epochs: 6, optimizer: {name: adam, lr: 0.01}}
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs 1 and 2: digits over 3 seeds, diabetes over 3 folds."""
    from trivium.platform.cli import main

    folder = tmp_path_factory.mktemp("ensembles")
    for text, change in ((DIGITS, "seeds=3"), (DIABETES, "validation.folds=3")):
        job = folder / "job.yaml"
        job.write_text(text)
        with pytest.raises(SystemExit) as ended:
            main(["train", str(job), "--set", change, "--store", str(folder / "runs")])
        assert ended.value.code == 0
    return folder / "runs"


def test_an_ensemble_of_classes_is_chosen_scored_and_is_a_run(store: Path, type_command) -> None:
    typed = type_command("ensemble", "1", "--store", store)
    assert typed.code == 0, typed.err
    run = RunFolder(sorted(store.glob("digits-ensemble-*"))[-1])
    assert run.info["kind"] == "ensemble" and run.info["status"] == "finished"
    note, ways, members, *_ = run.exhibits
    assert [r[0].removesuffix(" (chosen)") for r in ways.rows] == [
        "voting",
        "average",
        "bagged",
        "stacked",
    ]
    assert len(members.rows) == 3 and "the best single one" in note.text
    losses = [row[1] for row in ways.rows]
    chosen = next(row for row in ways.rows if row[0].endswith("(chosen)"))
    assert ways.columns[1] == "validation/loss" and chosen[1] == min(losses)
    singles = [row[members.columns.index("test/accuracy")] for row in members.rows]
    assert run.result["metrics"]["test/accuracy"] >= max(singles) - 0.02

    again = type_command("evaluate", run.id, "--store", store, "--json")
    assert again.code == 0, again.err
    assert json.loads(again.out)["metrics"] == run.result["metrics"]
    unseen = type_command("evaluate", run.id, "--store", store, "--split", "validation", "--json")
    assert json.loads(unseen.out)["metrics"]["validation/loss"] == pytest.approx(chosen[1])
    assert "Ensemble" in run.report.read_text()
    assert run.id in type_command("runs", "--store", store).out
    assert type_command("show", run.id, "--store", store).code == 0


@pytest.mark.parametrize("method", ["voting", "stacked"])
def test_an_exported_ensemble_gives_the_same_answers(
    store: Path, type_command, method: str, tmp_path: Path
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    assert type_command("ensemble", "1", "--method", method, "--store", store).code == 0
    run = RunFolder(max(store.glob("digits-ensemble-*"), key=lambda p: int(p.name[16:])))
    typed = type_command("export", run.id, "--to", tmp_path, "--store", store)
    assert typed.code == 0, typed.err
    contract = json.loads((tmp_path / "model.json").read_text())
    assert len(contract["inputs"]) == 1 and contract["max_difference"] < 1e-3
    dataset = read_member(store / "digits-1", "members").models[0].dataset
    batch = next(iter(dataset.batches("test", dataset.num_rows("test")).epoch(0)))
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    (outputs,) = session.run(None, {"input_0": batch.inputs[0].numpy()})
    accuracy = float((outputs.argmax(1) == batch.target.numpy()).mean())
    assert accuracy == pytest.approx(run.result["metrics"]["test/accuracy"])


def test_models_of_folds_are_one_member_that_no_row_saw_before_its_score(
    store: Path, type_command, tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    typed = type_command("ensemble", "diabetes-2", "--method", "average", "--store", store)
    assert typed.code == 0, typed.err
    assert "against one of its 3 models on average: " in typed.out
    run = RunFolder(max(store.glob("diabetes-ensemble-*"), key=lambda p: int(p.name[18:])))
    member = read_member(store / "diabetes-2", "members")
    found = member.outputs("validation")
    assert len(found.rows) == 442 - len(member.rows("test"))
    for model in member.models:  # each row by the model that validated on it
        own = model.outputs("validation")
        places = torch.searchsorted(found.rows, own.rows)
        assert torch.equal(found.values[places], own.values)
        train = model.outputs("train").rows
        assert not np.isin(own.rows, train).any()
    tested = member.outputs("test")
    mean = torch.stack([m.outputs("test").values for m in member.models]).mean(0)
    rmse = float((mean.double() - tested.target.double()).square().mean().sqrt())
    assert run.result["metrics"]["test/rmse"] == pytest.approx(rmse, rel=1e-5)
    assert type_command("evaluate", run.id, "--store", store).code == 0
    refused = type_command("evaluate", run.id, "--store", store, "--split", "train")
    assert refused.err == (
        "--split train: diabetes-2 has other training rows in each fold; validation scores each "
        "row by the model that did not see it\n"
    )
    assert type_command("export", run.id, "--to", tmp_path, "--store", store).code == 0
    contract = json.loads((tmp_path / "model.json").read_text())
    # Each fold standardizes by its own training rows, so each has inputs of its own.
    assert len(contract["inputs"]) == 3 and len(contract["datasets"]) == 3


def test_an_ensemble_needs_its_own_files_only(store: Path, type_command, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "runs")
    copied = tmp_path / "runs"
    typed = type_command("ensemble", "1", "--method", "average", "--store", copied)
    assert typed.code == 0, typed.err
    shutil.rmtree(copied / "digits-1")
    assert type_command("evaluate", "last", "--store", copied).code == 0


def test_an_ensemble_that_was_killed_is_made_whole_and_repeats_exactly(
    store: Path, type_command, tmp_path: Path
) -> None:
    shutil.copytree(store, tmp_path / "runs")
    copied = tmp_path / "runs"
    assert type_command("ensemble", "1", "--store", copied).code == 0
    run = RunFolder(max(copied.glob("digits-ensemble-*"), key=lambda p: int(p.name[16:])))
    before = run.result["metrics"]
    (run.path / "result.json").unlink()  # as a kill between checkpoint and result leaves it
    (run.path / "run.json").write_text(json.dumps(run.info | {"status": "failed"}))
    assert type_command("resume", run.id, "--store", copied).code == 0
    again = RunFolder(run.path)
    assert again.result["metrics"] == before and len(again.metrics()) == 1
    typed = type_command("reproduce", run.id, "--store", copied)
    assert typed.code == 0, typed.err
    newest = max(copied.glob("digits-ensemble-*"), key=lambda p: int(p.name[16:]))
    assert RunFolder(newest).info["kind"] == "ensemble"


def test_what_cannot_be_combined_is_told(store: Path, type_command, tmp_path: Path) -> None:
    single = store / "digits-1" / "children" / "0"
    typed = type_command("ensemble", "digits-1/0", "--store", store)
    assert typed.code == 2 and typed.err == (
        "digits-1/0 is a single training; an ensemble is made of a sweep (`trivium tune JOB`), or "
        "of a run over seeds or folds\n"
    )
    typed = type_command("ensemble", "1", "--method", "mean", "--store", store)
    assert typed.code == 2 and "algorithm.method: must be" in typed.err

    def refused(text: str, *words: str) -> str:
        job = tmp_path / "own.yaml"
        job.write_text(text)
        typed = type_command("train", job, "--store", tmp_path / "runs", *words)
        assert typed.code == 2
        return typed.err.replace(str(job), "own.yaml").strip()

    def named(*members: Path, more: str = "") -> str:
        return f"algorithm: {{name: ensemble, members: [{', '.join(map(str, members))}]{more}}}\n"

    assert refused(named(single, tmp_path / "none")) == (
        f"own.yaml:1: algorithm.members.1: no run in {tmp_path}/none"
    )
    assert refused(named(single)) == (
        "own.yaml:1: algorithm.members: digits-1/0 is a single model; an ensemble needs two at "
        "least"
    )
    assert refused(named(single, store / "diabetes-2")) == (
        "own.yaml:1: algorithm.members.1: the validation rows of diabetes-2 are not those of "
        "digits-1/0: members need the same dataset.source, target, split and folds"
    )
    assert refused(named(single, single, more=", metric: acuracy")) == (
        "own.yaml:1: algorithm.metric: no metric 'acuracy'; did you mean accuracy? (one of loss, "
        "accuracy, precision_macro, recall_macro, f1_macro, precision_weighted, recall_weighted, "
        "f1_weighted, roc_auc)"
    )
    assert refused(named(single, single) + "seeds: 2\nresources: {num_workers: 2}\n") == (
        "own.yaml:2: seeds: has no effect: an ensemble trains no model\n"
        "own.yaml:3: resources.num_workers: has no effect: an ensemble is combined in this process"
    )


def test_ratings_are_combined_within_their_range(tmp_path: Path, type_command) -> None:
    random = np.random.default_rng(0)
    cells = [f"u{u},i{i},{random.integers(1, 6)}" for u in range(20) for i in range(10)]
    (tmp_path / "ratings.csv").write_text("user,item,rating\n" + "\n".join(cells) + "\n")
    job = tmp_path / "ratings.yaml"
    job.write_text(
        f"dataset:\n  source: {tmp_path}/ratings.csv\n"
        "  target: rating\n  inputs: {user: id, item: id}\n"
        "model: {name: matrix_factorization}\n"
        "algorithm: {name: supervised, task: {name: rating, range: [1, 5]}, epochs: 2}\n"
        "seeds: 2\n"
    )
    store = tmp_path / "runs"
    assert type_command("train", job, "--store", store).code == 0
    typed = type_command("ensemble", "last", "--store", store)
    assert typed.code == 0, typed.err
    run = RunFolder(store / "ratings-ensemble-2")
    assert 0 < run.result["metrics"]["test/rmse"] < 4
    assert type_command("evaluate", "last", "--store", store).code == 0


def test_policies_are_not_combined(store: Path, type_command, tmp_path: Path) -> None:
    run = store / "digits-1" / "children" / "0"
    other = tmp_path / "runs" / "cart-1"
    shutil.copytree(run, other)
    (other / "job.yaml").write_text(
        "name: cart\nenv: {id: CartPole-v1}\nmodel: mlp\nalgorithm: ppo\nstop: {env_steps: 100}\n"
    )
    typed = type_command("ensemble", "cart-1", "--store", tmp_path / "runs")
    assert typed.code == 2
    assert typed.err == "cart-1 is of ppo: ensembles are made of supervised trials\n"
