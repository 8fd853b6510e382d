"""`trivium jobs`."""

import json
import sys

from trivium.platform.commands.attach import Address
from trivium.platform.commands.options import AsJson


def command(address: Address = None, as_json: AsJson = False) -> None:
    """The jobs that a cluster knows, newest first, and why one is still pending."""
    from trivium.platform.cluster.address import find_address, remembered
    from trivium.platform.cluster.client import Cluster
    from trivium.platform.cluster.jobs import list_jobs, render_jobs
    from trivium.platform.errors import UserError
    from trivium.platform.exhibit_text import make_console

    known = remembered()
    where = find_address(address) or (known[-1].address if known else None)
    if where is None:
        raise UserError("say which cluster: --address http://HEAD:8265 (the head's dashboard)")
    rows = list_jobs(Cluster(where))
    if as_json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        render_jobs(rows, make_console(), where)
