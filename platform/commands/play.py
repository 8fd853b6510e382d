"""`trivium play RUN`."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from trivium.platform.commands.options import AsJson, RunName, StorePath

Video = Annotated[Path | None, typer.Option("--video", metavar="FILE.mp4", help="Write a video.")]
Gif = Annotated[Path | None, typer.Option("--gif", metavar="FILE.gif", help="Write a GIF.")]
Episodes = Annotated[int, typer.Option(min=1, help="Episodes to play.")]
Sample = Annotated[bool, typer.Option("--sample", help="Draw actions instead of the best one.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the episodes.")]


def command(
    run: RunName = "last",
    video: Video = None,
    gif: Gif = None,
    episodes: Episodes = 1,
    sample: Sample = False,
    seed: Seed = None,
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Play with the best checkpoint, off screen; without a file named, a video in the run."""
    from trivium.platform.console import Console
    from trivium.platform.registry import load_text
    from trivium.platform.store import Store

    found = Store(store).find(run)
    found = (found.children() or [found])[0]  # of a run over seeds, the first
    recording = load_text("trivium.trainers.rl.play:record")(found, episodes, seed, sample)
    files = [file for file in (video, gif) if file] or [found.path / "play.mp4"]
    for file in files:
        load_text("trivium.trainers.rl.play:save_recording")(recording, file)
    played = [{"return": e.episode_return, "length": e.length} for e in recording.episodes]
    if as_json:
        content = {"run": found.id, "episodes": played, "files": [str(f) for f in files]}
        sys.stdout.write(json.dumps(content) + "\n")
        return
    console = Console()
    console.heading(f"{found.id}: {len(played)} episode{'s' if len(played) > 1 else ''}")
    for number, episode in enumerate(played, start=1):
        console.say(f"episode {number}: return {episode['return']:.2f}, {episode['length']} steps")
    for file in files:
        console.say(f"written: {file}")
