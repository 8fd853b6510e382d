import json
import shutil
from pathlib import Path
from typing import Any

from rich.console import Console

from trivium.platform.checkpoint import write_checkpoint
from trivium.platform.listing import describe_run, render_card, render_runs, run_infos
from trivium.platform.run_rows import list_runs
from trivium.platform.store import Store


def lines_of(capsys: Any) -> list[str]:
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_the_newest_runs_come_first_and_seeds_are_one_line(
    make_run: Any, learning_records: Any, store_root: Path, capsys: Any
) -> None:
    make_run("digits-cnn-1", metrics={"test/accuracy": 0.9721})
    make_run("cartpole-ppo-2", status="failed", error="x")
    make_run(
        "digits-cnn-10",
        kind="seeds",
        metrics={"test/accuracy": 0.9713},
        result={"interval_95": {"test/accuracy": 0.0031}},
    )
    for i in range(3):
        make_run(f"digits-cnn-10/{i}")
    make_run("digits-cnn-11", kind="seeds", status="stopped", job="seeds: 3\n")
    make_run("digits-cnn-11/0")
    make_run("digits-cnn-11/1", status="failed", records=learning_records)
    store = Store(store_root)
    render_runs(list_runs(store, limit=3), Console(width=120, highlight=False), total=4)
    lines = lines_of(capsys)
    assert lines[0].split() == ["run", "status", "started", "took", "score"]
    rows = [" ".join(line.split()) for line in lines[2:]]
    age = " ".join(lines[2].split()[2:5])
    assert [row.replace(age, "AGE") for row in rows] == [
        "digits-cnn-11 stopped AGE 1 min 12 s 1/3 seeds, 1 failed",
        "digits-cnn-10 finished AGE 1 min 12 s 0.9713 +/- 0.0031 test/accuracy 3 seeds",
        "cartpole-ppo-2 failed AGE 1 min 12 s",
        "3 of 4 runs; --limit N shows more",
    ]


def test_an_empty_store_tells_how_to_begin(store_root: Path, capsys: Any) -> None:
    render_runs(list_runs(Store(store_root)), Console(width=100))
    assert lines_of(capsys) == ["no runs yet; `trivium train JOB` makes one"]


def test_json_is_run_json_with_the_true_status(make_run: Any, store_root: Path) -> None:
    first = make_run("digits-cnn-1")
    make_run("digits-cnn-2", status="running", pid=2**22 + 1, pid_started=1)
    newest, oldest = run_infos(Store(store_root))
    assert oldest == json.loads((first.path / "run.json").read_text())
    assert (newest["id"], newest["status"]) == ("digits-cnn-2", "failed")


def test_a_torn_folder_is_no_run(make_run: Any, store_root: Path) -> None:
    make_run("digits-cnn-1")
    (store_root / "digits-cnn-2").mkdir()
    assert [r.id for r in list_runs(Store(store_root))] == ["digits-cnn-1"]


def test_ten_thousand_runs_are_listed_from_their_small_files(
    make_run: Any, store_root: Path
) -> None:
    template = make_run("digits-cnn-1", metrics={"test/accuracy": 0.97})
    for i in range(2, 302):
        shutil.copytree(template.path, store_root / f"digits-cnn-{i}")
    for i in range(302, 10_001):  # never opened: only the newest are
        (store_root / f"a-{i - 9_700}").mkdir()
    assert len(list_runs(Store(store_root), limit=200)) == 200


def test_show_is_the_run_in_sections(make_run: Any, learning_records: Any, capsys: Any) -> None:
    run = make_run(
        records=learning_records,
        metrics={"test/accuracy": 0.972, "test/f1": 0.97, "kappa": 0.96},
        result={"best_step": 360, "wall_time_s": 15.24, "samples_per_s": 12034.3},
    )
    for name in ("best", "last"):
        write_checkpoint(run.checkpoints, name, 360, lambda p: (p / "w").touch())
    render_card(describe_run(run), Console(width=120, highlight=False))
    lines = lines_of(capsys)
    started = next(line for line in lines if line.startswith("started"))
    size = lines[lines.index("Checkpoints") + 1].split(", ")[1]
    lines.remove(started)
    assert started.startswith("started    2026-03-01 10:00:00 UTC, ")
    assert lines == [
        "",
        "Run",
        "id         digits-cnn-1",
        "status     finished",
        "duration   1 min 12 s",
        "command    trivium train jobs/digits-cnn.yaml",
        f"host       {run.info['host']}",
        "code       0123456789ab",
        "seed       0",
        "",
        "Job",
        "dataset       mnist5k: split.train 0.8, split.validation 0.1, split.test 0.1",
        "model         cnn: channels [32, 64]",
        "algorithm     supervised: epochs 10, batch_size 128, optimizer.name adam, optimizer.lr "
        "0.001, optimizer.weight_decay",
        "              0.0001",
        "resources     num_workers 1",
        "fingerprint   5f2c9a1b",
        "",
        "Training",
        "score         test/accuracy 0.9720",
        "best step     360",
        "trained for   15 s",
        "samples/s     12,034",
        "",
        "Checkpoints",
        f"best   step 360, {size}, {run.path}/checkpoints/best",
        f"last   step 360, {size}, {run.path}/checkpoints/last",
        "",
        "Scores",
        "            train   validation     test",
        "───────────────────────────────────────",
        "accuracy   0.9950       0.9750   0.9720",
        "f1                               0.9700",
        "loss       0.0402       0.1214",
        "",
        "         value",
        "──────────────",
        "kappa   0.9600",
        "",
        "Next",
        "  trivium evaluate digits-cnn-1",
        "  trivium export digits-cnn-1",
        "  trivium why digits-cnn-1",
    ]


def test_show_of_a_failed_run_leads_with_its_error(make_run: Any) -> None:
    card = describe_run(
        make_run(status="failed", error="KeyError: 'x'", facts=[["data", "50 rows"]])
    )
    (_, run), (_, job), *_ = card.sections
    assert run[:3] == (("id", "digits-cnn-1"), ("status", "failed"), ("error", "KeyError: 'x'"))
    assert job == (("data", "50 rows"), ("fingerprint", "5f2c9a1b"))
    assert card.commands == ("trivium why digits-cnn-1", "trivium resume digits-cnn-1")
