"""`trivium submit [VERB] JOB`: what would be typed here, on a Ray cluster."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trivium.platform.commands.options import AsJson, Verbose

if TYPE_CHECKING:
    from trivium.platform.cluster.capacity import Capacity
    from trivium.platform.cluster.client import Cluster
    from trivium.platform.cluster.submission import Submission

VERBS = ("train", "tune", "evaluate", "play")
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}
"""Options that are not submit's own are the verb's."""

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="[VERB] JOB", help="A job file to train; or tune JOB, evaluate RUN, play RUN."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(metavar="URL", help="The head's dashboard, such as http://HEAD:8265."),
]
StoreText = Annotated[
    str | None,
    typer.Option("--store", metavar="FOLDER", help="Where the run goes; all nodes must reach it."),
]
WorkingDir = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="What is uploaded (default: the job file's folder)."),
]
SettingsOnly = Annotated[
    bool, typer.Option("--settings-only", help="Check no data: only the cluster can read it.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not follow the job.")]


def command(
    context: typer.Context,
    words: Words,
    address: Address = None,
    store: StoreText = None,
    working_dir: WorkingDir = None,
    settings_only: SettingsOnly = False,
    dry_run: DryRun = False,
    detach: Detach = False,
    as_json: AsJson = False,
    verbose: Verbose = False,
) -> None:
    """Check, show what is sent and asked, submit, follow."""
    from trivium.platform.cluster import submission as sending
    from trivium.platform.cluster.address import remember
    from trivium.platform.cluster.capacity import fits_or_explain, read_capacity
    from trivium.platform.runner import Screen

    console = Screen(to_stderr=as_json).console()
    verb, rest = (words[0], words[1:]) if words[0] in VERBS else ("train", words)
    typed = _parse(verb, [*rest, *context.args])
    cluster = _cluster(address)
    before = read_capacity(cluster)
    asked = _submission(verb, typed, [*rest, *context.args], before, store, working_dir)
    if not settings_only and verb in ("train", "tune"):
        _check(typed)
    python = sending.python_for(before)
    capacity, growth = fits_or_explain(cluster, asked.demand, python)
    console.heading(f"{asked.name} -> {cluster.address} (Ray {cluster.version})")
    console.facts([("command", asked.command), ("store", asked.store), *asked.upload.facts()])
    console.facts([("asks", str(asked.demand)), ("cluster", str(capacity))])
    if growth:
        console.facts([("grows", growth)])
    asked.upload.check()
    if dry_run:
        console.say("\nnothing was sent (--dry-run)")
        return
    sent = sending.send(asked, cluster, python)
    remember(sent)
    _say_next(sent.id, cluster, console)
    if as_json:
        content = {"id": sent.id, "address": sent.address, "store": sent.store}
        sys.stdout.write(json.dumps(content) + "\n")
    if not detach:
        from trivium.platform.commands.attach import follow

        follow(cluster, sent.id, console, verbose, dict(asked.demand.command))


def _parse(verb: str, words: list[str]) -> typer.Context:
    """The verb's own command line, read but not run; a mistake ends as it would there."""
    from trivium.platform.cli import parser
    from trivium.platform.errors import UserError

    usage_error: Any = typer.BadParameter.__bases__[0]  # what every mistake of reading is one of
    try:
        context: typer.Context = parser(verb).make_context(f"trivium {verb}", list(words))
    except usage_error as error:
        raise UserError(f"submit {verb}: {error.format_message()}") from None
    return context


def _cluster(address: str | None) -> "Cluster":
    from trivium.platform.cluster.address import find_address
    from trivium.platform.cluster.client import Cluster
    from trivium.platform.errors import UserError

    found = find_address(address)
    if found is None:
        raise UserError(
            "say where to submit: --address http://HEAD:8265 (the head's dashboard), or "
            "RAY_API_SERVER_ADDRESS; `trivium up` starts a cluster on this machine"
        )
    return Cluster(found)


def _check(typed: typer.Context) -> None:
    """All that `trivium check` looks at: a mistake does not reach the cluster."""
    from trivium.platform.errors import UserError
    from trivium.platform.job import open_job, read_job
    from trivium.platform.registry import load_text
    from trivium.platform.runner import check

    if typed.params.get("job") is None:
        return
    file = open_job(typed.params["job"], typed.params.get("overrides") or ())
    job = read_job(file)
    try:
        if typed.info_name == "trivium tune":
            load_text("trivium.tuning.plan:make_plan")(job, file.data)
        else:
            check(job)
    except UserError as error:
        raise file.locate(error) from None


def _submission(
    verb: str,
    typed: typer.Context,
    words: list[str],
    capacity: "Capacity",
    store: str | None,
    working_dir: Path | None,
) -> "Submission":
    from trivium.platform.cluster.demand import demand_of
    from trivium.platform.cluster.submission import Submission, choose_store, named_files
    from trivium.platform.cluster.upload import plan_upload
    from trivium.platform.job import open_job, read_job

    chosen = choose_store(store, capacity)
    has_gpus = capacity.total["GPU"] > 0
    path: Path | None = typed.params.get("job")
    named: list[Path]
    if path is None:  # a run, or the winner of a sweep: all of it is in the store
        from trivium.platform.store import Store

        name = typed.params.get("sweep") or typed.params["run"]
        run = Store(_store_path(chosen)).find(name)
        job, base = run.job(), run.submitted_from or run.base
        folder, named = working_dir or base, []
        words = [run.id if word == name else word for word in words]
        if run.id not in words:  # no name was typed: the last run, as of now
            words.insert(0, run.id)
        words = _files_kept(verb, words, typed, capacity, chosen)
    else:
        file = open_job(path, typed.params.get("overrides") or ())
        job, base = read_job(file), path.resolve().parent
        folder = working_dir or base
        named = named_files(file, folder)
        inside = path.resolve().relative_to(folder.resolve())
        words = [str(inside) if word == str(path) else word for word in words]
    upload = plan_upload(folder, named, [Path("runs"), Path(chosen)])
    all_words = [verb, *words, "--store", chosen]
    name = f"{job.name}-{verb}" if verb != "train" else job.name
    return Submission(verb, all_words, name, upload, demand_of(verb, job, has_gpus), chosen, base)


def _files_kept(
    verb: str, words: list[str], typed: typer.Context, capacity: "Capacity", store: str
) -> list[str]:
    """`words` with the files that they name where they outlive the job.

    Raises:
        UserError: a file would lie in the job's folder on another machine, which goes with the job.
    """
    from trivium.platform.cluster.submission import is_here
    from trivium.platform.errors import UserError

    named = {o: typed.params.get(o) for o in ("video", "gif", "data")}
    loose = {o: file for o, file in named.items() if file is not None and not file.is_absolute()}
    if is_here(capacity):
        here = {str(file): str(file.resolve()) for file in loose.values()}
        here |= {f"--{o}={file}": f"--{o}={file.resolve()}" for o, file in loose.items()}
        return [here.get(word, word) for word in words]
    if loose:
        option, file = next(iter(loose.items()))
        raise UserError(
            f"submit {verb}: --{option} {file} would lie on a machine of the cluster and go with "
            f"the job. Without it a video is kept with the run, as play.mp4; or play here: "
            f"trivium {verb} {words[0]} --store {store} --{option} {file}"
        )
    return words


def _store_path(text: str) -> Any:
    return text if "://" in text else Path(text)


def _say_next(job_id: str, cluster: "Cluster", console: Any) -> None:
    console.say(f"\nsubmitted: {job_id}")
    console.facts(
        [
            (f"  trivium attach {job_id}", "follow it again, also from a new terminal"),
            (f"  trivium stop {job_id}", "end it after saving"),
            ("  trivium jobs", "all jobs of the cluster"),
            (f"  {cluster.address}/#/jobs/{job_id}", "the dashboard"),
        ]
    )
    console.say("")
