"""A row's hash is its content's: the same in any process, on any machine, in any year."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trivium.datasets.row_hash import (
    combined,
    digest,
    hash_bytes,
    hash_numbers,
    hash_values,
)


def test_hashes_stay_what_they_are():
    # When these change, so does every split of every user: a new format of the cache is needed.
    numbers = hash_numbers(np.array([[1.0, 2.0], [0.0, np.nan]]), "x")
    words = hash_values(pa.array(["cat", None]), "text")
    pixels = hash_bytes(np.arange(10, dtype=np.uint8).reshape(2, 5), "image")
    assert [hex(h) for h in combined([numbers, words, pixels])] == GOLDEN


GOLDEN = ["0x5ac577d9a6ea94da", "0x69aa632433ee50b6"]


@given(
    hnp.arrays(np.float64, (5, 3), elements=st.floats(allow_nan=True)),
    st.permutations(range(5)),
)
def test_the_hash_of_a_row_does_not_depend_on_the_others(cells, order):
    whole = hash_numbers(cells, "x")
    assert np.array_equal(hash_numbers(cells[order], "x"), whole[order])
    assert np.array_equal(hash_numbers(cells[2:3], "x"), whole[2:3])


def test_zeros_and_nans_have_one_hash_each():
    cells = np.array([[0.0], [-0.0], [np.nan], [-np.nan], [np.float64(1)]])
    hashes = hash_numbers(cells, "x").tolist()
    assert hashes[0] == hashes[1] and hashes[2] == hashes[3] and len(set(hashes)) == 3


def test_a_number_has_one_hash_in_any_type():
    kinds = (pa.int8(), pa.uint32(), pa.int64())
    hashes = [hash_values(pa.array([1, 0], kind), "x").tolist() for kind in kinds]
    assert hashes[0] == hashes[1] == hashes[2]
    assert hashes[0] == hash_values(pa.array([True, False]), "x").tolist()


def test_text_has_one_hash_in_any_type():
    texts = pa.array(["a", "b", None, "a"])
    kinds = (pa.large_string(), pa.dictionary(pa.int32(), pa.string()))
    assert all(
        np.array_equal(hash_values(texts.cast(kind), "x"), hash_values(texts, "x"))
        for kind in kinds
    )


def test_columns_are_told_apart_by_their_names_not_by_their_order():
    a, b = np.array([[1.0]]), np.array([[2.0]])
    first = combined([hash_numbers(a, "a"), hash_numbers(b, "b")])
    assert first == combined([hash_numbers(b, "b"), hash_numbers(a, "a")])
    assert first != combined([hash_numbers(b, "a"), hash_numbers(a, "b")])


def test_nearby_numbers_spread_over_all_hashes():
    hashes = combined([hash_numbers(np.arange(100_000.0)[:, None], "x")])
    assert len(set(hashes.tolist())) == 100_000
    counts = np.bincount((hashes >> np.uint64(56)).astype(int), minlength=256)
    assert abs(counts - 100_000 / 256).max() < 100  # five deviations
    bits = [((hashes >> np.uint64(bit)) & np.uint64(1)).mean() for bit in range(64)]
    assert np.abs(np.array(bits) - 0.5).max() < 0.01


def test_a_digest_is_of_the_set_of_rows():
    hashes = np.array([5, 7, 9], np.uint64)
    assert digest(hashes) == digest(hashes[::-1])
    assert len({digest(h) for h in (hashes, hashes[:2], np.array([5, 7, 8], np.uint64))}) == 3
