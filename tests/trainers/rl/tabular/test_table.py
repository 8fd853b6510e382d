import numpy as np
import pytest

from trivium.trainers.rl.tabular.table import QTable


def entries(*numbers):
    return np.array(numbers, np.int64)


def test_one_visit_is_the_textbook_update():
    table = QTable(1, 2, 2, initial_value=1.0)
    errors = table.update(entries(3), np.array([5.0]), rate=0.25)
    assert table.values[0].tolist() == [[1, 1], [1, 1 + 0.25 * 4]]
    assert errors.tolist() == [4.0]
    assert table.visits[0].tolist() == [[0, 0], [0, 1]]


def test_copies_on_one_entry_count_as_updates_one_after_the_other_towards_their_mean():
    table = QTable(1, 2, 2)
    table.update(entries(0, 0, 1), np.array([4.0, 8.0, 2.0]), rate=0.5)
    # Twice half of the way from 0 to the mean 6: 3, then 4.5.
    assert table.values[0].tolist() == [[4.5, 1.0], [0, 0]]
    assert table.visits[0].tolist() == [[2, 1], [0, 0]]


def test_the_order_of_copies_does_not_matter():
    one, two = QTable(1, 1, 3), QTable(1, 1, 3)
    one.update(entries(0, 1, 0), np.array([1.0, 2.0, 3.0]), rate=0.3)
    two.update(entries(0, 0, 1), np.array([3.0, 1.0, 2.0]), rate=0.3)
    assert one.values == pytest.approx(two.values)


def test_averaging_with_rate_0_gives_the_mean_of_all_targets():
    table = QTable(1, 1, 2, initial_value=100.0)
    table.update(entries(0, 0), np.array([1.0, 2.0]), rate=0.0, average_first=True)
    table.update(entries(0, 1), np.array([6.0, 7.0]), rate=0.0, average_first=True)
    assert table.values[0, 0].tolist() == [3.0, 7.0]


def test_after_the_first_targets_steps_are_of_the_rate():
    """Visits 1 to 5 with rates 1, 1/2, 1/2, 1/2, 1/2; all targets of a step alike."""
    table = QTable(1, 1, 1)
    for target, expected in ((8.0, 8.0), (4.0, 6.0), (2.0, 4.0)):
        table.update(entries(0), np.array([target]), rate=0.5, average_first=True)
        assert table.values[0, 0, 0] == expected
    table.update(entries(0, 0), np.array([0.0, 0.0]), rate=0.5, average_first=True)
    assert table.values[0, 0, 0] == 1.0


def test_two_visits_across_the_turn_keep_half_of_a_half():
    table = QTable(1, 1, 1)
    table.update(entries(0), np.array([8.0]), rate=0.5, average_first=True)
    table.update(entries(0, 0), np.array([0.0, 0.0]), rate=0.5, average_first=True)
    assert table.values[0, 0, 0] == 2.0


def test_whole_numbers_may_be_initial_values():
    # np.full took the dtype of an int and truncated every update to 0.
    table = QTable(1, 1, 1, initial_value=0)
    table.update(entries(0), np.array([0.5]), rate=1.0)
    assert table.values[0, 0, 0] == 0.5


def test_the_policy_acts_on_the_mean_of_two_tables():
    table = QTable(2, 1, 2)
    table.values[:] = [[[1.0, 2.0]], [[3.0, 6.0]]]
    assert table.mean.tolist() == [[2.0, 4.0]]
