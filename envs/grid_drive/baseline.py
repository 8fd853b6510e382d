"""The score to beat in GridDrive-v0, the fastest safe way by A* through space and time."""

import heapq
from typing import Any

from trivium.envs.grid_drive.env import moves
from trivium.envs.grid_drive.rules import LAP, LIGHT_PERIOD, PERIOD, STEP_COST, GridDriveRules

Node = tuple[int, int]
"""A cell, and the time of the period."""


class AStar:
    """The optimum of every episode: no policy arrives earlier.

    Cars and lights repeat every period, so that a place is a cell and a time of the period. The
    street distance to the goal, which knows neither, never overestimates the steps left.
    """

    def __init__(self, rules: GridDriveRules) -> None:
        self._moves = moves(rules).tolist()

    def __call__(self, env: Any) -> int:
        """The first action of the fastest way for an unwrapped `GridDriveEnv`."""
        return self.plan(env)[0]

    def plan(self, env: Any) -> list[int]:
        """The actions of the fastest way from the state of an unwrapped `GridDriveEnv`.

        Raises:
            ValueError: there is no way, which only happens in states that no play leads to.
        """
        distances = env.cities.distances[env.city, env.goal].tolist()
        waits = env.cities.waits[env.city].tolist()
        traffic = _traffic(env)
        start = (env.cell, env.time % PERIOD)
        frontier = [(distances[env.cell], 0, start)]
        steps: dict[Node, int] = {start: 0}
        came: dict[Node, tuple[Node, int]] = {}
        while frontier:
            _, taken, node = heapq.heappop(frontier)
            cell, time = node
            if distances[cell] == 0:
                return _way_back(came, node)
            if taken > steps[node]:
                continue
            for action, move in enumerate(self._moves):
                target = cell + move
                after = (target, (time + 1) % PERIOD)
                if (action and waits[time % LIGHT_PERIOD][target]) or _crash(
                    traffic, cell, target, time
                ):
                    continue
                if taken + 1 < steps.get(after, taken + 2):
                    steps[after] = taken + 1
                    came[after] = (node, action)
                    heapq.heappush(frontier, (taken + 1 + distances[target], taken + 1, after))
        raise ValueError("no way to the goal from here")


def best_return(env: Any) -> float:
    """The highest return of the episode that an unwrapped `GridDriveEnv` has just started."""
    return 1.0 - STEP_COST * len(AStar(env.rules).plan(env))


def _traffic(env: Any) -> list[dict[int, int]]:
    """For each time of the period, the car in each cell that has one."""
    rings = env.cities.rings[env.city].tolist()
    cars: list[dict[int, int]] = [{} for _ in range(PERIOD)]
    for car, (ring, turn, sense) in enumerate(zip(rings, env.turns, env.senses, strict=True)):
        for time in range(PERIOD):  # the turn at hand is that of the next step
            cars[time][ring[(turn + sense * (time - env.time - 1)) % LAP]] = car
    return cars


def _crash(traffic: list[dict[int, int]], cell: int, target: int, time: int) -> bool:
    before, after = traffic[time], traffic[(time + 1) % PERIOD]
    if target in after:
        return True
    return target in before and cell in after and before[target] == after[cell]


def _way_back(came: dict[Node, tuple[Node, int]], node: Node) -> list[int]:
    actions: list[int] = []
    while node in came:
        node, action = came[node]
        actions.append(action)
    return actions[::-1]
