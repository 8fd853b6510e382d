"""`trivium down`."""


def command() -> None:
    """End the cluster that `trivium up` started in this folder, and nothing else."""
    from trivium.platform.cluster.warm import read_record, stop_warm
    from trivium.platform.console import Console

    found = read_record()
    if found is None:
        Console().say("no cluster was started in this folder; nothing to end")
        return
    was_alive = found.is_alive
    count = stop_warm(found)
    if was_alive:
        Console().say(f"ended the cluster at {found.address}: {count} processes")
    else:
        Console().say(
            f"the cluster at {found.address} was dead already; {count} processes were left"
        )
