"""Random cities, made once per process: streets, lights, ring roads and street distances.

A city is a board of cells with a closed rim. Crossings lie at even rows and columns, and a street
of one cell joins two neighbours, unless it is closed. Any two cells are joined by open streets: a
tree is opened first. Each car drives round a block whose four streets are open, and no two of
these ring roads touch.

An episode starts and ends off the ring roads, where waiting is safe; so a driver can always get
through: wait beside a ring road, enter it behind its car, follow the car, and leave. A light at the
exit is green in one of any three laps, as a lap takes 8 steps, a light repeats after 6, and 3 steps
in a row are green.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trivium.envs.grid_drive.rules import (
    CLOSED,
    GREEN_STEPS,
    LIGHT_PERIOD,
    VIEW,
    GridDriveRules,
)

NUM_GOALS = 8
"""Goals of a city, of which an episode draws one."""
FAR = 9999
"""The distance of a cell that is no street."""

# Clockwise round a block, from its upper left crossing.
_RING = np.array([(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)])

Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Cities:
    """A library of C cities; cells are numbered along the rows of the board, N in all."""

    waits: Bytes
    """Steps `[C, LIGHT_PERIOD, N]` until a cell may be entered, by the time; CLOSED for never."""
    rings: npt.NDArray[np.int64]
    """The cells `[C, num_cars, LAP]` of each car's ring road, clockwise."""
    safe: npt.NDArray[np.int64]
    """The cells `[C, S]` without traffic, of which the first `num_safe` `[C]` count."""
    num_safe: npt.NDArray[np.int64]
    goals: npt.NDArray[np.int64]
    """The goals `[C, NUM_GOALS]`."""
    distances: npt.NDArray[np.int16]
    """Steps `[C, NUM_GOALS, N]` to a goal along open streets, traffic and lights aside; FAR."""


@lru_cache(maxsize=8)
def cities(rules: GridDriveRules) -> Cities:
    """The library of these rules."""
    generator = np.random.default_rng(rules.city_seed)
    blocks = _car_blocks(rules, generator)
    streets, on_ring, rings = _streets(rules, blocks, generator)
    off_ring = streets & ~on_ring
    safe, num_safe = _listed(off_ring.reshape(len(streets), -1), generator)
    chosen = np.arange(NUM_GOALS) % num_safe[:, None]
    goals = np.take_along_axis(safe, chosen, axis=1)
    waits = _waits(rules, streets, off_ring, generator)
    library = Cities(waits, rings, safe, num_safe, goals, _distances(streets, goals))
    for array in vars(library).values():
        array.flags.writeable = False  # one library for every environment of the process
    return library


def _car_blocks(rules: GridDriveRules, generator: np.random.Generator) -> npt.NDArray[np.int64]:
    """Upper left crossing `[C, num_cars, 2]`, as a row and a column, of the blocks with a car."""
    along = (rules.num_blocks + 1) // 2
    order = generator.random((rules.num_cities, along**2)).argsort(axis=1)[:, : rules.num_cars]
    return np.stack(np.divmod(order, along), axis=-1) * 4


def _streets(
    rules: GridDriveRules, blocks: npt.NDArray[np.int64], generator: np.random.Generator
) -> tuple[Flags, Flags, npt.NDArray[np.int64]]:
    """Boards `[C, side, side]` of streets and of ring roads, and the cells of the ring roads."""
    count, side = rules.num_cities, rules.board_side
    inner = slice(VIEW, side - VIEW)
    streets = np.zeros((count, side, side), dtype=np.bool_)
    city = streets[:, inner, inner]
    city[:, ::2, ::2] = True
    # Every crossing keeps its street up or its street to the left: a random tree.
    up = generator.random((count, rules.num_blocks + 1, rules.num_blocks + 1)) < 0.5
    up[:, 0], up[:, :, 0] = False, True
    city[:, 1::2, ::2] = up[:, 1:]
    city[:, ::2, 1::2] = ~up[:, :, 1:]
    extra = generator.random(city.shape) < rules.street_density
    extra[:, 1::2, 1::2] = False
    city |= extra
    row, column = np.moveaxis(blocks[:, :, None] + _RING + VIEW, -1, 0)
    on_ring = np.zeros_like(streets)
    on_ring[np.arange(count)[:, None, None], row, column] = True
    return streets | on_ring, on_ring, row * side + column


def _listed(
    flags: Flags, generator: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The flagged cells of each city in random order, padded, and how many they are."""
    counts = flags.sum(axis=1)
    order = (generator.random(flags.shape) - flags).argsort(axis=1)
    return order[:, : counts.max()].copy(), counts


def _waits(
    rules: GridDriveRules, streets: Flags, off_ring: Flags, generator: np.random.Generator
) -> Bytes:
    """Steps until each cell may be entered; lights stand at streets, not at crossings."""
    with_light = off_ring & (generator.random(streets.shape) < rules.light_density)
    with_light[:, VIEW::2, VIEW::2] = False
    offset = generator.integers(LIGHT_PERIOD, size=streets.shape)
    time = (np.arange(LIGHT_PERIOD)[:, None, None] + offset[:, None]) % LIGHT_PERIOD
    waits = np.where((time < GREEN_STEPS) | ~with_light[:, None], 0, LIGHT_PERIOD - time)
    waits = np.where(streets[:, None], waits, CLOSED)
    return waits.reshape(rules.num_cities, LIGHT_PERIOD, -1).astype(np.uint8)


def _distances(streets: Flags, goals: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """Street distances from every goal at once, one ring of cells per pass."""
    count, side, _ = streets.shape
    passable = streets.reshape(count, 1, -1)
    distances = np.full((count, goals.shape[1], side * side), FAR, dtype=np.int16)
    np.put_along_axis(distances, goals[:, :, None], 0, axis=2)
    while True:
        nearest = distances.copy()
        for step in (1, side):  # the rim is closed, so that no step leads round an edge
            np.minimum(nearest[..., step:], distances[..., :-step] + 1, out=nearest[..., step:])
            np.minimum(nearest[..., :-step], distances[..., step:] + 1, out=nearest[..., :-step])
        nearest = np.where(passable, nearest, FAR).astype(np.int16)
        if np.array_equal(nearest, distances):
            return distances
        distances = nearest
