"""`trivium resume RUN`."""

import json
import sys

from trivium.platform.commands.options import AllowPickle, AsJson, RunName, StorePath, Verbose


def command(
    run: RunName = "last",
    store: StorePath = None,
    as_json: AsJson = False,
    verbose: Verbose = False,
    allow_pickle: AllowPickle = False,
) -> None:
    """Go on from the last checkpoint; the final numbers are those of a run never stopped."""
    from trivium.platform.runner import Screen, resume
    from trivium.platform.state_file import allow_pickles
    from trivium.platform.store import Store

    if allow_pickle:
        allow_pickles()
    screen = Screen(to_stderr=as_json, verbose=verbose)
    found = Store(store).find(run)
    if found.status == "finished":
        screen.console().say(f"{found.id} is finished; nothing to resume.")
    ended = resume(found, screen)
    screen.ending(ended)
    if as_json:
        sys.stdout.write(json.dumps(ended.result, ensure_ascii=False) + "\n")
