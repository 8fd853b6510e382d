"""The best mean return in MiniGrid-DoorKey, by breadth-first search: python door_key_optimum.py.

A state is the agent's cell and direction, whether it has the key, and whether the door is open.
No policy needs fewer steps than the search; one that sees only its view may need more.
"""

import sys
from collections import deque
from typing import Any

import gymnasium
import minigrid  # noqa: F401  (registers its environments)
import numpy as np

State = tuple[int, int, int, bool, bool]
"""x, y, direction, has the key, door is open."""


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "MiniGrid-DoorKey-5x5-v0"
    env: Any = gymnasium.make(name).unwrapped
    returns = []
    for seed in range(2000):
        env.reset(seed=seed)
        returns.append(1.0 - 0.9 * fewest_steps(env) / env.max_steps)
    mean, error = np.mean(returns), np.std(returns) / np.sqrt(len(returns))
    print(f"{name}: optimum {mean:.4f} +- {error:.4f}, 98% of it {0.98 * mean:.4f}")


def fewest_steps(env: Any) -> int:
    """Steps from the start of the episode to the goal."""
    cells = {
        (x, y): cell.type
        for x in range(env.width)
        for y in range(env.height)
        if (cell := env.grid.get(x, y)) is not None
    }
    start: State = (*map(int, env.agent_pos), int(env.agent_dir), False, False)
    steps, frontier = {start: 0}, deque([start])
    while frontier:
        state = frontier.popleft()
        if cells.get(state[:2]) == "goal":
            return steps[state]
        for following in _following(state, cells):
            if following not in steps:
                steps[following] = steps[state] + 1
                frontier.append(following)
    raise ValueError("no way to the goal")


def _following(state: State, cells: dict[tuple[int, int], str]) -> list[State]:
    x, y, direction, has_key, is_open = state
    ahead = x + (1, 0, -1, 0)[direction], y + (0, 1, 0, -1)[direction]
    kind = cells.get(ahead)
    turns = [(x, y, (direction + turn) % 4, has_key, is_open) for turn in (-1, 1)]
    is_free = kind in (None, "goal") or (kind == "key" and has_key) or (kind == "door" and is_open)
    moves = [(*ahead, direction, has_key, is_open)] if is_free else []
    takes = [(x, y, direction, True, is_open)] if kind == "key" else []
    opens = [(x, y, direction, has_key, True)] if kind == "door" and has_key else []
    return [*turns, *moves, *takes, *opens]


if __name__ == "__main__":
    main()
