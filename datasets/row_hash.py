"""64-bit hashes of rows that depend on what the cells hold and on nothing else.

Not on the position of a row or a column, not on the process, not on whether a number was written
as 1 or 1.0. Vectorised: a word of a row is multiplied by an odd number of its own position and
mixed; the sum of all words is mixed again (the finaliser of splitmix64, Steele et al. 2014,
https://doi.org/10.1145/2660193.2660195).
"""

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]
_BLOCK = 2**15  # hashes whose intermediate results stay in the cache of a core
_NAN = np.uint64(0x7FF8_0000_0000_0000)


def mix(hashes: Hashes) -> Hashes:
    """Finaliser of splitmix64: each bit of the result follows from all bits of the input."""
    mixed = hashes.copy()
    for first in range(0, len(mixed), _BLOCK):
        h = mixed[first : first + _BLOCK]
        h ^= h >> np.uint64(30)
        h *= np.uint64(0xBF58_476D_1CE4_E5B9)
        h ^= h >> np.uint64(27)
        h *= np.uint64(0x94D0_49BB_1331_11EB)
        h ^= h >> np.uint64(31)
    return mixed


def hash_numbers(cells: npt.NDArray[np.float64], key: str) -> Hashes:
    """Hash of each row of `cells` [n, width]; every NaN is the same, and so are 0 and -0."""
    words = (cells + 0.0).view(np.uint64)
    if np.isnan(cells).any():
        words[np.isnan(cells)] = _NAN
    return _hash_words(words, key)


def hash_bytes(cells: npt.NDArray[np.uint8], key: str) -> Hashes:
    """Hash of each row of `cells` [n, width]."""
    n, width = cells.shape
    padded = np.zeros((n, -(-width // 8) * 8), np.uint8)
    padded[:, :width] = cells
    return _hash_words(padded.view(np.uint64), key)


def hash_values(values: pa.Array, key: str) -> Hashes:
    """Hash of each value of a column of texts or whole numbers; null has a hash of its own."""
    if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type):
        return hash_numbers(as_floats(values)[:, None], key)
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    distinct = [_hash_text(str(v).encode(), key) for v in encoded.dictionary.to_pylist()]
    table = np.array([*distinct, _hash_text(b"", f"{key} is null")], np.uint64)
    codes = encoded.indices.fill_null(len(distinct)) if encoded.null_count else encoded.indices
    hashes: Hashes = table[codes.to_numpy(zero_copy_only=False)]
    return hashes


def combined(hashes: Iterable[Hashes]) -> Hashes:
    """One hash from those of the columns, whatever their order."""
    first, *others = hashes
    total = first.copy()
    for more in others:
        total += more
    return mix(total)


def digest(hashes: Hashes) -> str:
    """Hash of a set of rows, whatever their order."""
    parts = (len(hashes), int(hashes.sum(dtype=np.uint64)), int(np.bitwise_xor.reduce(hashes)))
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def as_floats(values: pa.Array) -> npt.NDArray[np.float64]:
    """Numbers as float64 [n], null as NaN."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.uint8())
    cells: npt.NDArray[np.float64] = values.cast(pa.float64(), safe=False).to_numpy(
        zero_copy_only=False
    )
    return cells


def _hash_words(words: Hashes, key: str) -> Hashes:
    seed = np.uint64(_hash_text(b"", key))
    positions = np.arange(1, words.shape[1] + 1, dtype=np.uint64)
    factors = mix(positions * np.uint64(0x9E37_79B9_7F4A_7C15) + seed) | np.uint64(1)
    mixed = words * factors + seed  # the seed: a word of zeros must not vanish
    mixed ^= mixed >> np.uint64(32)
    mixed *= np.uint64(0xBF58_476D_1CE4_E5B9)
    mixed ^= mixed >> np.uint64(29)
    total: Hashes = mixed.sum(axis=1, dtype=np.uint64)
    return total


def _hash_text(text: bytes, key: str) -> int:
    keyed = hashlib.blake2b(text, digest_size=8, key=hashlib.md5(key.encode()).digest())
    return int.from_bytes(keyed.digest(), "little")
