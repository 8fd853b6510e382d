"""Seeds that one seed gives to the parts of a run, so that no two parts draw the same numbers."""

import hashlib


def derive_seed(seed: int, *words: str | int) -> int:
    """A seed in 0 .. 2^31 - 1 for the part of the run that `words` name."""
    text = ":".join(map(str, (seed, *words)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest()) >> 1
