"""That a process of Ray's ended, and why, in a sentence for the user.

Ray has several errors for it that are no kin of each other, and tells the reason in a paragraph
with identifiers and a list of what might have been.
"""

import re

_OUT_OF_MEMORY = re.compile(r"OutOfMemory|OUT_OF_MEMORY|running low on memory", re.I)
_NO_ANSWER = re.compile(r"node has died|node was terminated|is (temporarily )?unavailable", re.I)


def deaths() -> tuple[type[Exception], ...]:
    """What Ray raises when a process that was asked ended, or its node did."""
    from ray.exceptions import NodeDiedError, ObjectLostError, OutOfMemoryError, RayActorError

    return (RayActorError, OutOfMemoryError, NodeDiedError, ObjectLostError)


def is_out_of_memory(failure: BaseException) -> bool:
    """Whether Ray ended the process because its node had no memory left."""
    return _OUT_OF_MEMORY.search(f"{type(failure).__name__}: {failure}") is not None


def cause_of_death(failure: BaseException, to_need_less_memory: str) -> str:
    """What follows `worker 1 died; `; the settings to change when its node had no memory left."""
    text = str(failure)
    if is_out_of_memory(failure):
        used = re.search(r"was ([\d.]+)\s?GB(?: used)? / ([\d.]+)\s?GB", text)
        amount = f" ({used[1]} of {used[2]} GB in use)" if used else ""
        return f"its node ran out of memory{amount}, and Ray ended it. {to_need_less_memory}"
    if _NO_ANSWER.search(text):
        node = re.search(r"node_ip='([^']+)'", text)
        return f"its node{f' {node[1]}' if node else ''} does not answer any more"
    found = re.search(r"Worker exit type:.*?(?= Some common causes|$)", text, re.S)
    if found is None:
        return text
    return f"most often the machine is out of memory. {found[0].strip()}"
