"""`trivium show RUN`."""

import dataclasses
import json
import sys

from trivium.platform.commands.options import AsJson, RunName, StorePath


def command(run: RunName = "last", store: StorePath = None, as_json: AsJson = False) -> None:
    """What the run is, what it was made of, how well it did, where things lie, what next."""
    from trivium.platform.exhibit_text import make_console
    from trivium.platform.listing import describe_run, render_card
    from trivium.platform.store import Store

    card = describe_run(Store(store).find(run))
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(card), ensure_ascii=False) + "\n")
    else:
        render_card(card, make_console())
