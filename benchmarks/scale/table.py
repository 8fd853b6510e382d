"""The page of results: results.json as tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Part = Mapping[str, Any]


def page(parts: Mapping[str, Part]) -> str:
    """All parts that were measured."""
    lines = [
        "# What the platform costs as things grow",
        "",
        "Measured by `make bench-scale`; [docs/scaling.md](../../docs/scaling.md) says what "
        "follows for larger clusters.",
    ]
    for name, part in parts.items():
        lines += ["", f"## {part['what'].capitalize()}", "", *_TABLES[name](part["figures"]), ""]
        lines += [_goal(goal) for goal in part["goals"]]
        lines += [*([""] if part["goals"] else []), _conditions(part)]
    return "\n".join(lines) + "\n"


def _cost(figures: Part) -> list[str]:
    columns = {
        "workers": "workers",
        "cpu_ms_per_worker_and_step": "CPU ms per worker and step",
        "wall_s_per_1000_steps": "wall s per 1,000 steps",
        "command_cpu_s_per_s": "CPU s a second: the command",
        "ray_cpu_s_per_s": "Ray's own processes",
        "first_step_s": "s to the first step",
        "cpu_s_per_worker_to_first_step": "CPU s a worker until then",
        "rss_mb_per_worker": "resident MB a worker",
        "pss_mb_per_worker": "of them its share",
        "command_pss_mb": "MB: the command",
        "ray_pss_mb": "MB: Ray's own",
        "state_bytes": "bytes of state.pt",
    }
    return [
        *_table(columns, figures["rows"]),
        "",
        "One worker is the command itself, without Ray. More workers than cores take turns, so "
        "their wall time says how long the turns are; **CPU seconds per worker and step** compare. "
        "A step has 8 rows a worker, a model of two numbers and one thread; reading, gathering, "
        "loss, averaging, optimizer, an epoch's report and validation each 250 steps, and "
        "checkpoints are in it. Its share of resident memory counts a page that several processes "
        "use by that part of it.",
    ]


def _messages(figures: Part) -> list[str]:
    columns = {
        "workers": "workers",
        "steps": "steps",
        "seconds": "seconds",
        "polls": "polls",
        "polls_per_worker_and_interval": "a worker and interval",
        "other_calls_while_training": "other calls meanwhile",
        "calls_of_the_run_but_polls": "calls of the whole run, polls apart",
        "reports_through_the_driver": "reports by Ray",
        "bytes_per_worker_and_interval": "bytes a worker and interval",
        "bytes_of_the_run": "bytes of the whole run",
        "driver_cpu_ms_per_poll": "driver's CPU ms a poll",
        "worker_bytes_per_step": "bytes a worker sends a step",
    }
    return [
        *_table(columns, figures["rows"]),
        "",
        "Calls are those that the command's process makes of Ray; bytes are those of its TCP "
        "connections, both ways, by the kernel's count. An interval is "
        f"{figures['interval_s']:g} s, at which Ray Train's controller asks each worker how it is. "
        "Metrics do not pass here: rank 0 writes them to the run, "
        f"{figures['rows'][-1]['metrics_bytes_per_line']} bytes an epoch with 8 workers, "
        f"{figures['rows'][0]['metrics_bytes_per_line']} with one. What a worker sends goes to the "
        "other workers, but for its answers to polls.",
    ]


def _checkpoint(figures: Part) -> list[str]:
    written = {"bytes": "bytes", "write_s": "s to write"}
    return [
        *_table({"parameters": "parameters", **written}, figures["models"]),
        "",
        "Weights, Adam's moments and the best weights, with their digests; to the system's memory, "
        "as the disk is not waited for.",
        "",
        *_table({"workers": "workers", **written, "read_s": "s to read"}, figures["workers"]),
        "",
        "The states of the workers' random generators, of which exact resumption needs all; "
        f"{figures['gathered_bytes_per_worker']:,} bytes of each worker go to every other at a "
        "save.",
    ]


def _listing(figures: Part) -> list[str]:
    states = ("first", "cold", "warm")
    rows = [
        {"command": f"`trivium {c}`"} | {n: s.get(n, "") for n in states}
        for c, s in figures["medians_s"].items()
    ]
    return [
        *_table(
            {"command": "command", "first": "s, first", "cold": "s, cold", "warm": "s, warm"}, rows
        ),
        "",
        f"Whole commands, {figures['runs']:,} runs, medians. Cold is with none of the store's "
        f"files in the system's memory ({figures['share_in_memory_before_cold']:.1%} still were), "
        "names and sizes apart. A store remembers the rows of its finished runs; first is the one "
        "time that it has none yet, cold too.",
    ]


def _copies(figures: Part) -> list[str]:
    columns = {
        "copies": "copies",
        "batch": "env steps a batch",
        "env_steps_per_s": "env steps/s, learning included",
        "rss_mb": "resident MB",
        "state_bytes": "bytes of state.pt",
    }
    return [
        *_table(columns, figures["rows"]),
        "",
        "`jobs/cartpole-ppo.yaml`: 32 steps of each copy a batch, four epochs of minibatches of "
        '512. Copies in actors on several cores: benchmarks/README.md, "slow env".',
    ]


def _sweep(figures: Part) -> list[str]:
    rows = [{"trials": int(n), **figures[n]} for n in ("100", "1000")]
    columns = {
        "trials": "trials",
        "process_s": "s, whole command",
        "process_ms_a_trial": "ms a trial of it",
        "trial_ms": "ms a trial, start and end apart",
        "last_hundred_ms": "of the last hundred",
    }
    return _table(columns, rows)


_TABLES: Mapping[str, Callable[[Part], list[str]]] = {
    "cost": _cost,
    "messages": _messages,
    "checkpoint": _checkpoint,
    "listing": _listing,
    "copies": _copies,
    "sweep": _sweep,
}


def _table(columns: Mapping[str, str], rows: Sequence[Part]) -> list[str]:
    return [
        "| " + " | ".join(columns.values()) + " |",
        "| " + " | ".join("---:" for _ in columns) + " |",
        *("| " + " | ".join(_cell(row[key]) for key in columns) + " |" for row in rows),
    ]


def _cell(value: float | str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _goal(goal: Part) -> str:
    mark = "reached" if goal["reached"] else "**missed**"
    return f"- {goal['what']}: {goal['value']:g}, at most {goal['at_most']:g}: {mark}"


def _conditions(part: Part) -> str:
    machine = part["machine"]
    return (
        f"`{part['command']}`, {part['date'][:16]} UTC, {machine['cores']} cores "
        f"({machine['processor']}), {machine['memory_gb']} GB, Ray {machine['versions']['ray']}, "
        f"torch {machine['versions']['torch']}; load average before {part['load_average_before']}."
    )
