"""A job file: read with its lines, all mistakes at once, overridden, written out and read again."""

from pathlib import Path

import pytest

from trivium.platform.errors import UserError
from trivium.platform.job import open_job, read_job, write_job

GOOD = """\
dataset: {source: digits}
model: {name: mlp, hidden: [8]}
algorithm:
  name: supervised
  epochs: 2
  optimizer: {name: adam, lr: 1e-3}
"""


EMPTY = "the file is empty; a job names a dataset or env, a model and an algorithm"


def error_of(path: Path, text: str, *overrides: str) -> str:
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_job(open_job(path, overrides))
    return str(caught.value).replace(str(path), "job.yaml")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "任务 job.yaml"


def test_every_mistake_stands_with_its_line_in_the_order_of_the_file(path: Path) -> None:
    text = """\
dataset: {source: digits}
model:
  name: mlp
  hiden: [8]
algorithm:
  name: supervised
  epochs: 0
  optimizer: {name: adam, learning_rate: 0.1}
  schedule: {name: cosin}
  batch_size: .nan
sed: 3
"""
    assert error_of(path, text).splitlines() == [
        "job.yaml:4: model.hiden: unknown setting; did you mean hidden? (settings here: name, "
        "hidden, activation, normalization, dropout, residual, initialization)",
        "job.yaml:7: algorithm.epochs: must be at least 1, got 0",
        "job.yaml:8: algorithm.optimizer.learning_rate: unknown setting; did you mean lr? "
        "(settings here: name, lr, weight_decay, l1, decay_biases, beta1, beta2, eps)",
        "job.yaml:9: algorithm.schedule.name: unknown name 'cosin'; did you mean cosine? (known: "
        "constant, cosine, exponential, inverse_time, reduce_on_plateau, step; or your own as "
        "file.py:Name)",
        "job.yaml:10: algorithm.batch_size: must be a whole number or be one of full; got nan",
        "job.yaml:11: sed: unknown setting; did you mean seed? (settings here: name, resources, "
        "checkpoint, tracking, seed, seeds, tune, dataset, model, algorithm, validation)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"job.yaml:1: {EMPTY}"),
        ("# only a comment\n", f"job.yaml:1: {EMPTY}"),
        ("- a\n- b\n", "job.yaml:1: must be a mapping of settings, got a list"),
        ("a: 1\n\tb: 2\n", "job.yaml:2: a tab indents this line; YAML takes spaces only"),
        ("seed: 1\nseed: 2\n", "job.yaml:2: seed: is set twice; keep one"),
        ("a: [1, 2\nb: 3\n", "job.yaml:2: is not YAML: expected ',' or ']', but got ':'"),
    ],
)  # fmt: skip
def test_what_is_no_job_is_told_with_its_line(path: Path, text: str, message: str) -> None:
    assert error_of(path, text).partition(" (")[0] == message


def test_without_an_algorithm_the_known_ones_are_named(path: Path) -> None:
    message = error_of(path, "dataset: {source: digits}\n")
    assert message.startswith("job.yaml:1: algorithm: is required: a mapping with a name (one of ")
    assert "supervised" in message


def test_an_unknown_algorithm_names_the_nearest(path: Path) -> None:
    message = error_of(path, GOOD.replace("supervised", "superviced"))
    assert message.startswith(
        "job.yaml:4: algorithm.name: unknown name 'superviced'; did you mean supervised? (known: "
    )


def test_bytes_that_are_not_text_are_no_traceback(path: Path) -> None:
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(UserError) as caught:
        open_job(path)
    assert str(caught.value) == f"{path}: is not UTF-8 text (byte 6)"


def test_a_missing_file_is_told_with_the_nearest_or_all_job_files_beside_it(path: Path) -> None:
    path.write_text(GOOD, encoding="utf-8")
    hints = {"jb.yaml": f"; did you mean {path.name}?", "mnist": f" (job files there: {path.name})"}
    for name, hint in hints.items():
        absent = path.with_name(name)
        with pytest.raises(UserError) as caught:
            open_job(absent)
        assert str(caught.value) == f"no job file {absent}{hint}"


def test_numbers_in_scientific_notation_are_numbers_and_the_name_is_the_files(path: Path) -> None:
    path = path.with_name("digits-mlp.yaml")
    path.write_text(GOOD, encoding="utf-8")
    job = read_job(open_job(path))
    assert job.name == "digits-mlp"
    assert job.algorithm.optimizer.lr == 0.001  # type: ignore[attr-defined]


def test_overrides_reach_any_setting_and_their_mistakes_name_them(path: Path) -> None:
    path = path.with_name("job.yaml")
    path.write_text(GOOD, encoding="utf-8")
    overrides = (
        "algorithm.optimizer.lr=0.5",
        "algorithm.schedule.name=cosine",
        "model.hidden=[4, 4]",
        "seed=7",
    )
    job = read_job(open_job(path, overrides))
    assert job.algorithm.optimizer.lr == 0.5  # type: ignore[attr-defined]
    assert job.algorithm.schedule.name == "cosine"  # type: ignore[attr-defined]
    assert job.model.hidden == (4, 4)  # type: ignore[attr-defined]
    assert job.seed == 7
    with pytest.raises(UserError) as caught:
        read_job(open_job(path, ["algorithm.epochs=none"]))
    assert str(caught.value) == (
        "--set algorithm.epochs=none: algorithm.epochs: must be a whole number, got 'none'"
    )
    with pytest.raises(UserError) as caught:
        open_job(path, ["algorithm.epochs"])
    assert str(caught.value) == "--set algorithm.epochs: must be path.to.setting=value"


def test_the_resolved_job_reads_back_equal_with_every_default_written_out(path: Path) -> None:
    path.write_text(GOOD.replace("dataset", "name: 'x'\ndataset"), encoding="utf-8")
    job = read_job(open_job(path))
    text = write_job(job)
    assert "weight_decay: 0.0" in text
    again = path.with_name("again.yaml")
    again.write_text(text, encoding="utf-8")
    assert read_job(open_job(again)) == job


def test_a_name_that_would_climb_out_of_the_store_is_refused(path: Path) -> None:
    assert error_of(path, "name: ../evil\n" + GOOD) == (
        "job.yaml:1: name: must be letters, digits, '.', '_' or '-' (at most 64), since it names "
        "a folder; got '../evil'"
    )


def test_a_file_of_ones_own_is_found_beside_the_job_file(tmp_path: Path, monkeypatch) -> None:
    folder, elsewhere = tmp_path / "我的 job", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (folder / "mine.py").write_text("class Net:\n    def __init__(self, width: int = 3): ...\n")
    lines = ["dataset: {source: digits}", "model: {name: mine.py:Net, width: 5}"]
    (folder / "job.yaml").write_text("\n".join([*lines, "algorithm: {name: supervised}"]))
    monkeypatch.chdir(elsewhere)
    assert read_job(open_job(folder / "job.yaml")).model.width == 5
    (folder / "job.yaml").write_text(
        "\n".join([lines[0], "model: no.py:Net", "algorithm: {name: supervised}"])
    )
    with pytest.raises(UserError) as error:
        read_job(open_job(folder / "job.yaml"))
    assert str(error.value) == (
        f"{folder / 'job.yaml'}:2: model.name: no file no.py (looked for {elsewhere / 'no.py'} and "
        f"{folder / 'no.py'})"
    )


@pytest.mark.parametrize(
    ("workers", "message"),
    [
        ("0", "num_workers: must be {}; got 0"),
        ("20000", "num_workers: must be {}; got 20000"),
        ("[1, 4]", "num_workers: must be {}; got [1, 4]"),
        ("{min: 0, max: 4}", "num_workers.min: must be at least 1, got 0"),
        ("{min: 3, max: 2}", "num_workers.max: must be at least min, which is 3; got 2"),
        ("{min: 3}", "num_workers.max: is required"),
        (
            "{mn: 1, max: 2}",
            "num_workers.mn: unknown setting; did you mean min? (settings here: min, max, "
            "resize_interval_s)",
        ),
    ],
)
def test_a_wrong_number_of_workers_is_told_in_its_place(
    path: Path, workers: str, message: str
) -> None:
    known = "a whole number from 1 to 10,000, or a range such as {min: 1, max: 4}"
    found = error_of(path, f"{GOOD}resources: {{num_workers: {workers}}}\n")
    assert found == f"job.yaml:7: resources.{message.replace('{}', known)}"


def test_a_range_of_workers_is_written_out_and_read_again(path: Path) -> None:
    path.write_text(f"{GOOD}resources: {{num_workers: {{max: 4}}}}\n", encoding="utf-8")
    job = read_job(open_job(path))
    assert (job.resources.fewest_workers, job.resources.most_workers) == (1, 4)
    path.write_text(write_job(job), encoding="utf-8")
    assert read_job(open_job(path)).resources == job.resources
