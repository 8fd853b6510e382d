"""Batches: every row once, the same for any number of workers, resumable, and rightly padded."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trivium.datasets.batch import Batch
from trivium.datasets.batches import Batches
from trivium.datasets.dataset import Dataset

TEXTS = """
import numpy as np

def rows():
    words = np.array(["sun", "rain", "wind", "snow"])
    random = np.random.default_rng(0)
    texts = [" ".join(random.choice(words, random.integers(1, 40))) for _ in range(600)]
    texts = [f"{text} {i}" for i, text in enumerate(texts)]
    return {"text": texts, "label": np.arange(600) % 3}
"""


@pytest.fixture
def texts(make, tmp_path: Path) -> Dataset:
    (tmp_path / "texts.py").write_text(TEXTS)
    return make(
        source=f"{tmp_path}/texts.py:rows",
        target="label",
        inputs={"text": "text"},
        split={"validation": 0, "test": 0},
    )


def joined(shares: list[Batch]) -> list[torch.Tensor]:
    """The tensors of one global batch from its workers' shares: every n-th row is one worker's."""
    tensors = zip(*[(*share.inputs, share.target, share.rows) for share in shares], strict=True)
    result = []
    for parts in tensors:
        whole = torch.empty((shares[0].size, *parts[0].shape[1:]), dtype=parts[0].dtype)
        for rank, part in enumerate(parts):
            whole[rank :: len(shares)] = part
        result.append(whole)
    return result


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("name", ["digits", "breast-cancer", "movielens-100k", "texts"])
def test_workers_together_see_what_one_worker_sees(name, shuffle, make, texts):
    dataset = texts if name == "texts" else make(source=name)
    one = dataset.batches("train", 100, shuffle=shuffle, seed=5)
    three = [
        dataset.batches("train", 100, shuffle=shuffle, seed=5, rank=rank, world_size=3)
        for rank in range(3)
    ]
    assert all(batches.num_batches == one.num_batches for batches in three)
    count = 0
    for whole, *shares in zip(one.epoch(2), *(b.epoch(2) for b in three), strict=True):
        expected = [*whole.inputs, whole.target, whole.rows]
        for a, b in zip(expected, joined(shares), strict=True):
            assert torch.equal(a, b)
        assert {share.size for share in shares} == {whole.size} == {len(whole.target)}
        count += whole.size
    assert count == dataset.num_rows("train")


@pytest.mark.parametrize("name", ["digits", "texts"])
def test_an_epoch_can_begin_anywhere(name, make, texts):
    dataset = texts if name == "texts" else make(source=name)
    batches = dataset.batches("train", 64, shuffle=True)
    whole = [batch.rows.tolist() for batch in batches.epoch(1)]
    for start in (0, 1, 5, batches.num_batches):
        assert [batch.rows.tolist() for batch in batches.epoch(1, start)] == whole[start:]


def test_each_epoch_and_each_seed_has_an_order_of_its_own(make):
    dataset = make(source="digits")

    def order(seed: int, epoch: int) -> list[int]:
        batches = dataset.batches("train", 64, shuffle=True, seed=seed)
        return torch.cat([batch.rows for batch in batches.epoch(epoch)]).tolist()

    first = order(0, 0)
    assert first == order(0, 0)
    assert first != order(0, 1) and first != order(1, 0)
    assert sorted(first) == sorted(order(0, 1)) == sorted(set(first))


def test_without_shuffling_rows_come_in_the_order_of_the_source(make):
    batches = make(source="digits").batches("validation", 50)
    rows = torch.cat([batch.rows for batch in batches.epoch(0)])
    assert (rows.diff() > 0).all()


def test_the_rest_of_an_epoch_may_leave_a_worker_without_rows(make):
    dataset = make(source="breast-cancer")  # 455 training rows: 455 = 5 * 90 + 5 * 1
    shares = [
        list(dataset.batches("train", 151, rank=rank, world_size=4).epoch(0)) for rank in range(4)
    ]
    assert [[len(batch.target) for batch in share] for share in shares] == [
        [38, 38, 38, 1],
        [38, 38, 38, 1],
        [38, 38, 38, 0],
        [37, 37, 37, 0],
    ]
    assert shares[3][3].inputs[0].shape == (0, 30)
    assert shares[3][3].size == 2


def test_a_text_batch_of_no_rows_has_the_width_of_the_others(texts):
    last = [
        list(texts.batches("train", 599, rank=rank, world_size=2).epoch(0))[-1] for rank in (0, 1)
    ]
    assert last[0].inputs[0].shape[0] == 1 and last[1].inputs[0].shape[0] == 0
    assert last[0].inputs[0].shape[1] == last[1].inputs[0].shape[1]


@pytest.mark.parametrize("shuffle", [False, True])
def test_texts_of_about_equal_length_share_a_batch_padded_to_its_longest(texts, shuffle):
    column = texts.columns["tokens"]
    total, padded = 0, 0
    for batch in texts.batches("train", 10, shuffle=shuffle).epoch(0):
        tokens, lengths = batch.inputs
        assert tokens.dtype == lengths.dtype == torch.int64
        assert tokens.shape[1] == lengths.max()
        for row, cells, length in zip(batch.rows, tokens, lengths, strict=True):
            start, end = column.starts[row], column.starts[row + 1]
            assert cells[:length].tolist() == column.cells[start:end].tolist()
            assert not cells[length:].any()
        total, padded = total + int(lengths.sum()), padded + tokens.numel()
    assert padded < 1.05 * total  # in random order it would be nearly twice


def test_shuffled_text_batches_do_not_come_in_the_order_of_their_lengths(texts):
    widths = [b.inputs[0].shape[1] for b in texts.batches("train", 10, shuffle=True).epoch(0)]
    assert widths != sorted(widths)


def test_a_batch_is_the_callers_own(make):
    dataset = make(source="movielens-100k")
    batch = next(dataset.batches("train", 8).epoch(0))
    expected = [t.clone() for t in (*batch.inputs, batch.target, batch.rows)]
    for tensor in (*batch.inputs, batch.target, batch.rows):
        tensor.zero_()
    again = next(dataset.batches("train", 8).epoch(0))
    for a, b in zip(expected, (*again.inputs, again.target, again.rows), strict=True):
        assert torch.equal(a, b)


def test_images_and_tables_arrive_transformed(make):
    pixels = make(source="digits", transforms=["normalize"])
    x = next(pixels.batches("train", 2000).epoch(0)).inputs[0]
    assert x.shape == (1437, 1, 8, 8) and x.dtype == torch.float32
    assert x.min() == 0 and x.max() == pytest.approx(1)
    for name, axes in (("digits", (0, 2, 3)), ("breast-cancer", (0,))):
        x = next(make(source=name).batches("train", 2000).epoch(0)).inputs[0].double()
        assert torch.allclose(x.mean(axes), torch.zeros(1, dtype=torch.float64), atol=1e-4)
        assert torch.allclose(
            x.std(axes, correction=0), torch.ones(1, dtype=torch.float64), rtol=1e-4
        )


def test_a_split_without_rows_has_no_batches(make):
    dataset = make(source="digits", split={"validation": 0})
    batches = dataset.batches("validation", 10)
    assert batches.num_batches == 0 and list(batches.epoch(0)) == []


def test_a_place_in_the_split_is_found_by_the_row_of_a_batch(make):
    dataset = make(source="breast-cancer")
    batch = next(dataset.batches("test", 10, shuffle=True).epoch(0))
    places = dataset.positions(batch.rows.numpy(), "test")
    radii = [dataset.example(int(place), "test")["mean_radius"] for place in places]
    scale = np.array(dataset.meta.inputs[0].scale[0]), np.array(dataset.meta.inputs[0].shift[0])
    assert batch.inputs[0][:, 0].numpy() == pytest.approx(radii * scale[0] + scale[1], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (
            {"batch_size": 1, "rank": 2, "world_size": 2},
            "rank must be below world_size, got 2 of 2",
        ),
    ],
)
def test_a_wrong_call_is_refused(arguments, message, make):
    with pytest.raises(ValueError, match=message):
        Batches(make(source="digits"), "train", **arguments)
