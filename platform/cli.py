"""`trivium VERB`: each verb is a function in `trivium.platform.commands`, imported when typed.

Exit codes: 0 done, 1 the job failed, 2 the user's mistake, 130 stopped by Ctrl-C after saving.
"""

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from trivium.platform.errors import TriviumError

# verb -> what it does; its module in `trivium.platform.commands` has the same name.
VERBS: dict[str, str] = {
    "train": "Train a job and score it.",
    "tune": "Search the settings named in a job's section tune.",
    "ensemble": "Combine a sweep's best trials and say what is gained over the best one.",
    "check": "Check a job whole, show what it would do, start nothing.",
    "evaluate": "Score a run's saved result again; fail when it falls short.",
    "play": "Record the policy of a run: a video, a GIF, or its steps.",
    "submit": "Run a command on a Ray cluster: checked, uploaded, followed.",
    "attach": "Follow a submitted job again, from a new terminal too.",
    "logs": "Print what a submitted job has written.",
    "stop": "Have a submitted job save and end.",
    "jobs": "List a cluster's jobs.",
    "up": "Keep a Ray on this machine ready for this folder's commands.",
    "down": "End the Ray that `up` started, and nothing else.",
    "runs": "List the runs of the store.",
    "show": "Show one run: what, with what, how well, what next.",
    "diff": "What differs between two runs: settings, scores, data, code.",
    "why": "Why a run failed, stopped or stayed flat, and what to do.",
    "resume": "Go on with a run that was stopped, killed or failed.",
    "publish": "Send to a remote store what a run left on this machine.",
    "reproduce": "Run a finished run's job again and compare the scores.",
    "ui": "Show a sweep in optuna-dashboard, also while it runs.",
    "export": "Write a run's model as safetensors and ONNX, verified.",
    "doctor": "Check this machine: packages, data sets, disk, memory.",
    "schema": "Print the JSON Schema of job files, for editors.",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the verb; a mistake of the user ends in its message and exit code, never a traceback."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _let_threads_sleep_soon()
    try:
        _app(typed=words[0] if words else "")(args=words, prog_name="trivium")
    except TriviumError as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # `trivium runs | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _app(typed: str) -> typer.Typer:
    """The command line, with only the typed verb's module imported: --help stays instant."""
    app = typer.Typer(
        help="Train, tune and run learning jobs: one job file, from a laptop to a Ray cluster.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    for verb, purpose in VERBS.items():
        function, context = _function(verb) if verb == typed else (_not_typed, None)
        app.command(name=verb, help=purpose, context_settings=context)(function)
    return app


def parser(verb: str) -> Any:
    """The command line of one verb, to be read without running it."""
    app = typer.Typer(add_completion=False)
    app.command(name=verb)(_function(verb)[0])
    return typer.main.get_command(app)


def _function(verb: str) -> tuple[Callable[..., None], dict[str, Any] | None]:
    """A verb's function, and what its module says of how its words are read."""
    module = importlib.import_module(f"trivium.platform.commands.{verb}")
    return module.command, getattr(module, "CONTEXT", None)


def _let_threads_sleep_soon() -> None:
    """Have torch's threads soon sleep when they wait, here and in the processes started from here.

    By default they spin for a long time: on a machine that does other work too, a step of the
    MNIST CNN on two cores then took 1.2 s, against 0.3 s with a count of 20,000. On a quiet
    machine 30,000 is as fast as the default, and not spinning at all takes a third longer.
    libgomp takes it from the environment alone, when torch loads it; who sets it is obeyed.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "30000")


def _not_typed() -> None:
    """Stands for a verb in the list of verbs."""


if __name__ == "__main__":
    main()
