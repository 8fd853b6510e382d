"""`trivium why RUN`."""

import dataclasses
import json
import sys

from trivium.platform.commands.options import AsJson, RunName, StorePath


def command(run: RunName = "last", store: StorePath = None, as_json: AsJson = False) -> None:
    """One paragraph on how the run ended or why it does not learn, and the next command."""
    from trivium.platform.diagnosis import diagnose, render_diagnosis
    from trivium.platform.exhibit_text import make_console
    from trivium.platform.store import Store

    diagnosis = diagnose(Store(store).find(run))
    if as_json:
        sys.stdout.write(json.dumps(dataclasses.asdict(diagnosis), ensure_ascii=False) + "\n")
    else:
        render_diagnosis(diagnosis, make_console())
