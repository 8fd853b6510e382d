"""`trivium diff A B`."""

import dataclasses
import json
import sys

from trivium.platform.commands.options import AsJson, RunName, StorePath


def command(a: RunName, b: RunName, store: StorePath = None, as_json: AsJson = False) -> None:
    """Only what differs: settings, then scores, then data, then code."""
    from trivium.platform.comparison import compare, render_comparison
    from trivium.platform.exhibit_text import make_console
    from trivium.platform.store import Store

    runs = Store(store)
    comparison = compare(runs.find(a), runs.find(b))
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(comparison), ensure_ascii=False) + "\n")
    else:
        render_comparison(comparison, make_console())
