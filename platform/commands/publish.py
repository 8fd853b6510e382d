"""`trivium publish RUN`."""

import json
import sys

from trivium.platform.commands.options import AsJson, RunName, StorePath


def command(run: RunName = "last", store: StorePath = None, as_json: AsJson = False) -> None:
    """Send to a remote store what a run left on this machine while the store did not answer."""
    from trivium.platform.remote.kept import publish_left
    from trivium.platform.store import Store

    found = Store(store).find_here(run)
    is_sent = publish_left(found.path)
    if as_json:
        content = {"run": found.id, "published": is_sent, "place": found.place}
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
        return
    said = "published" if is_sent else "all of it is published; nothing to send"
    print(f"{found.id}: {said}\n{found.place}")
