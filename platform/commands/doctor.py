"""`trivium doctor`."""

import dataclasses
import json
import sys

from trivium.platform.commands.options import AsJson, StorePath


def command(store: StorePath = None, as_json: AsJson = False) -> None:
    """What is installed, found, free and writable here, and what to do about what is not."""
    from trivium.platform.cache_root import cache_root
    from trivium.platform.doctor import examine, has_failures, render_checks
    from trivium.platform.exhibit_text import make_console
    from trivium.platform.store import default_store

    checks = examine(store or default_store(), cache_root())
    if as_json:
        content = [dataclasses.asdict(check) for check in checks]
        sys.stdout.write(json.dumps(content, ensure_ascii=False) + "\n")
    else:
        render_checks(checks, make_console())
    if has_failures(checks):
        sys.exit(1)
