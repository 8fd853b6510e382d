"""What a training reports and saves, also when it begins anew within one process."""

from pathlib import Path

from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter


def fill(path: Path) -> None:
    (path / "weights").write_text("1")


def test_a_writer_that_goes_on_twice_keeps_the_lines_up_to_the_checkpoint(tmp_path: Path) -> None:
    writer = RunWriter(RunFolder(tmp_path))
    writer.resume()
    for step in (1, 2, 3):
        writer.report(step, {"train/loss": 1.0 / step})
        if step == 2:
            writer.save_checkpoint(step, fill)
    resumed = writer.resume()  # an actor died: the training goes on in the same process
    assert resumed is not None and resumed.step == 2
    writer.report(3, {"train/loss": 0.5})
    writer.close()
    assert [r["step"] for r in RunFolder(tmp_path).metrics()] == [1, 2, 3]
    assert RunFolder(tmp_path).metrics()[2]["train/loss"] == 0.5
    times = [r["time_s"] for r in RunFolder(tmp_path).metrics()]
    assert times == sorted(times)


def test_the_best_checkpoint_does_not_put_off_the_one_that_a_run_goes_on_from(
    tmp_path: Path,
) -> None:
    writer = RunWriter(RunFolder(tmp_path), checkpoint_interval_s=1000)
    writer._last_checkpoint -= 1000
    assert writer.checkpoint_due()
    writer.save_checkpoint(1, fill, name="best")
    assert writer.checkpoint_due()
    writer.save_checkpoint(1, fill)
    assert not writer.checkpoint_due()
    assert 0 < writer.checkpoint_due_in_s <= 1000
