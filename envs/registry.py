"""Our environments by their Gymnasium ids, as text: registering them imports nothing heavy.

A new environment is a folder with `env.py`, `vector.py`, `rules.py`, `render.py` and `baseline.py`,
and an entry here.
"""

from typing import NamedTuple


class Entry(NamedTuple):
    """What Gymnasium's registry holds of an environment."""

    env: str
    """The scalar environment."""
    vector_env: str
    """The same as a batch of copies."""
    baseline: str
    """The policy that gives the score to beat; built with the environment's rules."""
    max_episode_steps: int
    """Steps after which an episode is truncated."""
    reward_threshold: float
    """Mean return that counts as solved: 98% of the optimum, or the baseline's score."""


ENVS: dict[str, Entry] = {
    "trivium/GridDrive-v0": Entry(
        env="trivium.envs.grid_drive.env:GridDriveEnv",
        vector_env="trivium.envs.grid_drive.vector:GridDriveVectorEnv",
        baseline="trivium.envs.grid_drive.baseline:AStar",
        max_episode_steps=100,
        reward_threshold=0.853,
    ),
    "trivium/Inventory-v0": Entry(
        env="trivium.envs.inventory.env:InventoryEnv",
        vector_env="trivium.envs.inventory.vector:InventoryVectorEnv",
        baseline="trivium.envs.inventory.baseline:OrderUpTo",
        max_episode_steps=100,
        reward_threshold=47.1,
    ),
    "trivium/MachineCare-v0": Entry(
        env="trivium.envs.machine_care.env:MachineCareEnv",
        vector_env="trivium.envs.machine_care.vector:MachineCareVectorEnv",
        baseline="trivium.envs.machine_care.baseline:Optimum",
        max_episode_steps=100,
        reward_threshold=52.4,
    ),
    "trivium/Recommend-v0": Entry(
        env="trivium.envs.recommend.env:RecommendEnv",
        vector_env="trivium.envs.recommend.vector:RecommendVectorEnv",
        baseline="trivium.envs.recommend.baseline:UCB",
        max_episode_steps=100,
        reward_threshold=57.4,
    ),
}


def register_all() -> None:
    """Make `gymnasium.make` and `make_vec` know our ids; calling it again does nothing."""
    import gymnasium

    for name, entry in ENVS.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                id=name,
                entry_point=entry.env,
                vector_entry_point=entry.vector_env,
                max_episode_steps=entry.max_episode_steps,
                reward_threshold=entry.reward_threshold,
            )
