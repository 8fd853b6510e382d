"""Files that a submitted command names lie where they outlive the job."""

from pathlib import Path
from typing import Any

import pytest

from trivium.platform.cluster import submission
from trivium.platform.commands.submit import _files_kept, _parse
from trivium.platform.errors import UserError

WORDS = ["cartpole-1", "--video", "out.mp4"]


def kept(words: list[str], store: str = "s3://bucket/runs") -> list[str]:
    nobody: Any = None
    return _files_kept("play", words, _parse("play", words), nobody, store)


def test_a_cluster_on_this_machine_writes_where_it_was_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(submission, "is_here", lambda _: True)
    monkeypatch.chdir(tmp_path)
    assert kept(WORDS) == ["cartpole-1", "--video", str(tmp_path / "out.mp4")]
    assert kept(["cartpole-1", "--gif=a.gif"]) == ["cartpole-1", f"--gif={tmp_path / 'a.gif'}"]
    assert kept(["cartpole-1"]) == ["cartpole-1"]


def test_a_file_on_another_machine_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(submission, "is_here", lambda _: False)
    with pytest.raises(UserError) as caught:
        kept(WORDS)
    assert str(caught.value) == (
        "submit play: --video out.mp4 would lie on a machine of the cluster and go with the job. "
        "Without it a video is kept with the run, as play.mp4; or play here: "
        "trivium play cartpole-1 --store s3://bucket/runs --video out.mp4"
    )
    shared = ["cartpole-1", "--gif", "/shared/out.gif"]
    assert kept(shared) == shared, "a disk that all nodes share; whoever writes it knows"
