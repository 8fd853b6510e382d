"""Tables of figures and goals, as they are printed and as they stand in benchmarks/README.md."""

from collections.abc import Sequence
from statistics import median

from goals import Verdict
from subjects import ROOT, Measurement

PAGE = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- rl tables: written by rl/compare.py -->", "<!-- end of rl tables -->"


def figures(found: Sequence[Measurement]) -> list[str]:
    """A line of each subject on each task, under a head; also right as Markdown."""
    lines = [
        f"| {'task':<17} | {'subject':<31} | runs | {'median s':>9} | {'range':>18} "
        f"| {'env steps':>9} | {'steps/s':>10} | {'':<16} |",
        f"|{'-' * 19}|{'-' * 33}|-----:|" + "".join(f"{'-' * n}:|" for n in (10, 19, 10, 11, 17)),
    ]
    for task, subject in dict.fromkeys((m.task, m.subject) for m in found):
        own = [m for m in found if (m.task, m.subject) == (task, subject)]
        times = [m.learning_s for m in own]
        digits = 3 if median(times) < 1 else 2 if median(times) < 10 else 1
        span = f"{min(times):.{digits}f} to {max(times):.{digits}f}"
        missed = sum(not m.reached for m in own)
        note = f"{missed} stopped short" if missed else ""
        lines.append(
            f"| {task:<17} | {subject:<31} | {len(own):>4} | {median(times):>9.{digits}f} "
            f"| {span:>18} | {median(m.env_steps for m in own):>9,.0f} "
            f"| {median(m.env_steps_per_s for m in own):>10,.0f} | {note:<16} |"
        )
    return lines


def goals(verdicts: Sequence[Verdict]) -> list[str]:
    """A line of each goal, under a head."""
    lines = [
        f"| {'goal':<78} | {'asked':>18} | {'measured':>18} | {'':<7} |",
        f"|{'-' * 80}|{'-' * 19}:|{'-' * 19}:|{'-' * 9}|",
    ]
    for v in verdicts:
        goal = v.goal
        asked = f"at {'least' if goal.at_least else 'most'} {goal.at_least or goal.at_most:,.10g}"
        value = f"{v.value:,.0f}" if v.value >= 1000 else f"{v.value:,.2f}"
        more = "at least " if v.is_lower_bound else ""
        mark = "reached" if v.is_reached else "MISSED"
        lines.append(f"| {goal.what:<78} | {asked:>18} | {more + value:>18} | {mark:<7} |")
    return lines


def put_into_page(found: Sequence[Measurement], verdicts: Sequence[Verdict]) -> None:
    """Write both tables between their marks in benchmarks/README.md."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [BEGIN, "", *figures(found), "", *goals(verdicts), "", END]
    PAGE.write_text(before + "\n".join(lines) + after, encoding="utf-8")
