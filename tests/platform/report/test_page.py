import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from trivium.platform.exhibit import Lines, Matrix, Metric, Note, Pictures, Table, picture
from trivium.platform.report.page import write_report
from trivium.platform.run import RunFolder

NASTY = "<script>alert('x')</script> & \"quotes\""
METRICS = (Metric("validation/accuracy", "Share of right answers.", True, "Above 0.9."),)


class Page(HTMLParser):
    """What a test asks of a page: headings, tables as text, attributes by tag."""

    def __init__(self, run: RunFolder) -> None:
        super().__init__()
        self.text = write_report(run, METRICS).read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in ("meta", "link", "img"):
            self._open.append(tag)
        if tag == "h2":
            self.headings.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} closes nothing"

    def handle_data(self, data: str) -> None:
        if "h2" in self._open:
            self.headings[-1] += data
        if self._open and self._open[-1] in ("td", "th"):
            self.rows[-1][-1] += data
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data.strip())

    def classes(self, name: str) -> list[dict[str, str]]:
        return [a for _, a in self.tags if name in a.get("class", "").split()]


@pytest.fixture
def finished(make_run: Any, learning_records: Any) -> RunFolder:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    run: RunFolder = make_run(
        records=learning_records,
        metrics={"test/accuracy": 0.972, "test/loss": 0.0931},
        result={"best_step": 360, "wall_time_s": 15.2, "samples_per_s": 12034.3},
        exhibits=(
            Matrix("Confusion matrix", ("cat", NASTY), ("cat", NASTY), ((9.0, 1.0), (0.0, 5.0))),
            Table("Per class", ("class", "F1"), (("cat", 0.9), (NASTY, 0.8)), note="A note."),
            Pictures("Worst mistakes", (picture(pixels, NASTY), picture(pixels, "two"))),
            Lines("ROC", "false positives", (0.0, 0.5, 1.0), {"cat": (0.0, 0.9, 1.0)}),
            Note("A word", NASTY),
        ),
        log="epoch 1\n" + 2 * "warning: conv1: gradients vanish <1e-9>\n",
        facts=[["model", "cnn, 421,642 parameters"]],
    )
    return run


def test_the_page_shows_the_whole_run(finished: RunFolder) -> None:
    page = Page(finished)
    assert page.headings == [
        "Scores",
        "What was trained",
        "Curves",
        "Confusion matrix",
        "Per class",
        "Worst mistakes",
        "ROC",
        "A word",
        "Warnings",
        "What the metrics mean",
        "Job",
        "Where it came from",
    ]
    for text in (
        "digits-cnn-1",
        "finished",
        "1 min 12 s",
        "12,034",
        "cnn, 421,642 parameters",
        "trivium train jobs/digits-cnn.yaml",
        "0123456789abcdef0123456789abcdef01234567",
        "5f2c9a1b",
        "python 3.11.9, trivium 0.1.0, torch 2.13.0",
        "conv1: gradients vanish <1e-9>",
    ):
        assert page.words.count(text) == 1, text
    assert ["", "test", "validation", "train"] in page.rows
    assert ["accuracy", "0.9720", "0.9750", "0.9950"] in page.rows
    assert ["cat", "9", "1"] in page.rows
    assert ["cat", "0.9000"] in page.rows
    assert ["validation/accuracy", "Share of right answers.", "Above 0.9."] in page.rows


def test_each_group_of_metrics_is_a_chart_with_its_curves(finished: RunFolder) -> None:
    page = Page(finished)
    labels = [a["aria-label"] for tag, a in page.tags if tag == "svg"]
    assert [label.partition(" over ")[0] for label in labels] == ["loss", "accuracy", "lr", "ROC"]
    assert len(page.classes("line")) == 2 + 2 + 1 + 1
    assert len(page.classes("mark")) == 3  # the best step, not in the exhibit


def test_nothing_points_outside_the_page(finished: RunFolder) -> None:
    page = Page(finished)
    links = [v for _, a in page.tags for k, v in a.items() if k in ("src", "href", "srcset")]
    assert len(links) == 3  # two pictures and the empty icon
    assert all(link.startswith("data:") for link in links)
    assert not re.search(r"https?://|@import|url\(", page.text)


def test_what_users_write_is_shown_and_never_run(finished: RunFolder) -> None:
    page = Page(finished)
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert page.words.count(NASTY) == 5  # twice in the matrix, in the table, a caption, a note
    assert [a["alt"] for tag, a in page.tags if tag == "img"] == [NASTY, "two"]


def test_a_failed_run_says_why_and_shows_the_end_of_its_log(make_run: Any) -> None:
    log = "\n".join(f"line {i}" for i in range(100)) + f"\n{NASTY}\n"
    page = Page(make_run(status="failed", error="ValueError: no such column", log=log))
    assert page.headings == ["End of the log", "What the metrics mean", "Job", "Where it came from"]
    assert "It failed before its first report: ValueError: no such column." in page.words
    tail = next(w for w in page.words if w.startswith("line 61"))
    assert tail.endswith(NASTY)


def test_seeds_are_a_table_with_their_interval_and_mean_curves(
    make_run: Any, learning_records: Any
) -> None:
    parent = make_run(
        "digits-cnn-3",
        kind="seeds",
        metrics={"test/accuracy": 0.9725},
        result={"interval_95": {"test/accuracy": 0.0318}, "num_seeds": 2, "best_step": None},
    )
    for i, accuracy in enumerate((0.97, 0.975)):
        make_run(
            f"digits-cnn-3/{i}",
            records=learning_records,
            metrics={"test/accuracy": accuracy},
            seed=i,
        )
    page = Page(parent)
    assert page.headings[:3] == ["Scores", "Curves", "Seeds"]
    assert ["digits-cnn-3/1", "finished", "1", "0.9750", "1 min 12 s"] in page.rows
    assert "Mean and 95% confidence interval: test/accuracy 0.9725 +/- 0.0318" in page.words
    assert len(page.classes("band")) > 0


def test_a_page_of_five_thousand_records_stays_small(make_run: Any) -> None:
    rng = np.random.default_rng(0)
    records = [
        {
            "step": i,
            "env_steps": 2048 * i,
            "time_s": 0.1 * i,
            **{f"loss/part_{k}": float(rng.normal()) for k in range(8)},
            "episode/return_mean": float(rng.normal()),
            "episode/return_min": -5.0,
            "episode/return_max": 5.0,
        }
        for i in range(5_000)
    ]
    page = Page(make_run("cartpole-1", records=records))
    assert len(page.classes("plot")) == 9
    assert len(page.text) < 500_000


def test_a_run_of_another_time_still_has_a_page(make_run: Any) -> None:
    run = make_run(records=[{"step": 1, "time_s": 0.0, "strange": 1.5}], git=None, versions=None)
    (run.path / "job.yaml").unlink()
    assert "strange" in Page(run).words
