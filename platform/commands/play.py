"""`trivium play RUN`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson, RunName, StorePath

Video = Annotated[Path | None, typer.Option("--video", metavar="FILE.mp4", help="Write a video.")]
Gif = Annotated[Path | None, typer.Option("--gif", metavar="FILE.gif", help="Write a GIF.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="FILE.parquet", help="Write the steps, for offline algorithms."),
]
Episodes = Annotated[int, typer.Option(min=1, help="Episodes to play.")]
Sample = Annotated[bool, typer.Option("--sample", help="Draw actions instead of the best one.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the episodes.")]

MANY = 20
"""More episodes than these are told by their mean."""


def command(
    run: RunName = "last",
    video: Video = None,
    gif: Gif = None,
    data: Data = None,
    episodes: Episodes = 1,
    sample: Sample = False,
    seed: Seed = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Play with the best checkpoint, off screen; without a file named, a video in the run."""
    from trivium.platform.registry import load_text
    from trivium.platform.remote.kept import added
    from trivium.platform.store import Store

    found = Store(store).find(run)
    found = (found.children() or [found])[0]  # of a run over seeds, the first
    play = "trivium.trainers.rl.play"
    files = [file for file in (video, gif) if file]
    if data is not None:
        ended = load_text(f"{play}:record_data")(found, data, episodes, seed, sample)
    if files or data is None:
        recording = load_text(f"{play}:record")(found, episodes, seed, sample)
        files = files or [found.path / "play.mp4"]
        for file in files:
            load_text(f"{play}:save_recording")(recording, file)
            added(file)
        ended = recording.episodes
    files += [data] if data else []
    _say(
        found.id, [{"return": e.episode_return, "length": e.length} for e in ended], files, as_json
    )


def _say(run: str, played: list[dict[str, float]], files: list[Path], as_json: bool) -> None:
    from trivium.platform.console import Console
    from trivium.platform.remote.copies import place_of

    if as_json:
        content = {"run": run, "episodes": played, "files": [str(f) for f in files]}
        sys.stdout.write(json.dumps(content) + "\n")
        return
    console = Console()
    console.heading(f"{run}: {len(played)} episode{'s' if len(played) > 1 else ''}")
    if len(played) > MANY:
        mean = sum(e["return"] for e in played) / len(played)
        steps = sum(e["length"] for e in played)
        console.say(f"mean return {mean:.2f}, {steps:,.0f} steps together")
        played = []
    for number, episode in enumerate(played, start=1):
        console.say(f"episode {number}: return {episode['return']:.2f}, {episode['length']} steps")
    for file in files:
        console.say(f"written: {place_of(file)}")
