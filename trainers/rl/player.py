"""What plays: a policy as evaluation, recording and export see it, and how episodes are played."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trivium.trainers.rl.environment.make import has_native_vector, make_one
from trivium.trainers.rl.environment.settings import EnvSettings
from trivium.trainers.rl.environment.spaces import actions_of, observations_of
from trivium.trainers.rl.environment.vector import Environments, Episode
from trivium.trainers.rl.seeds import derive_seed

MOST_COPIES = 256


class Player(Protocol):
    """A policy that acts in B environments at once; one that remembers keeps its memory itself."""

    def start(self, num_envs: int, seed: int) -> None:
        """Forget everything; actions drawn from now on come from `seed`."""

    def act(self, obs: NDArray[Any], starting: NDArray[np.bool_], sample: bool) -> NDArray[Any]:
        """Actions [B, *action shape] for stored observations [B, *shape] (environment/spaces.py).

        `starting` [B] marks the first observation of an episode; `sample` draws from the policy
        instead of taking its best action.
        """


class Scores(NamedTuple):
    """What episodes add up to."""

    return_mean: float
    return_std: float
    """Sample standard deviation."""
    return_ci95: float
    """Half the width of the 95% confidence interval of the mean."""
    length_mean: float
    success_rate: float | None
    episodes: int

    @property
    def error(self) -> float:
        """Standard error of return_mean."""
        return self.return_ci95 / 1.96


def play_episodes(
    player: Player,
    settings: EnvSettings,
    episodes: int,
    seed: int,
    *,
    sample: bool = False,
    max_steps: int = 20_000,
    is_stopping: Callable[[], bool] = lambda: False,
) -> list[Episode]:
    """Play `episodes` episodes, each started from a seed of its own, and return all of them.

    Every episode that starts is finished (or cut at `max_steps`), so short ones count no more
    than long ones. `is_stopping` is asked between steps; when it says yes, what has ended by then
    is returned.
    """
    if hasattr(player, "play"):  # RLlib's many agents and DreamerV3 play in a runner of their own
        own: list[Episode] = player.play(
            settings, episodes, seed, sample=sample, max_steps=max_steps, is_stopping=is_stopping
        )
        return own
    if has_native_vector(settings):
        return _play_native(player, settings, episodes, seed, sample, max_steps, is_stopping)
    return _play_copies(player, settings, episodes, seed, sample, max_steps, is_stopping)


def scores_of(episodes: Sequence[Episode]) -> Scores:
    """Mean, spread and interval of the returns; lengths and successes."""
    returns = np.array([e.episode_return for e in episodes])
    std = float(returns.std(ddof=1)) if len(returns) > 1 else 0.0
    successes = [e.success for e in episodes if e.success is not None]
    return Scores(
        return_mean=float(returns.mean()),
        return_std=std,
        return_ci95=1.96 * std / float(np.sqrt(len(returns))),
        length_mean=float(np.mean([e.length for e in episodes])),
        success_rate=float(np.mean(successes)) if successes else None,
        episodes=len(returns),
    )


def _play_native(
    player: Player,
    settings: EnvSettings,
    episodes: int,
    seed: int,
    sample: bool,
    max_steps: int,
    is_stopping: Callable[[], bool],
) -> list[Episode]:
    """All copies play one episode each, as many rounds as are needed."""
    played: list[Episode] = []
    while len(played) < episodes and not is_stopping():
        count = min(episodes - len(played), MOST_COPIES)
        environments = Environments(settings, count)
        round_seed = derive_seed(seed, "round", len(played))
        environments.reset(round_seed)
        player.start(count, round_seed)
        starting = np.ones(count, np.bool_)
        over = np.zeros(count, np.bool_)
        for _ in range(max_steps):
            step = environments.step(player.act(environments.obs, starting, sample))
            starting = np.zeros(count, np.bool_)
            played += environments.take_ended(~over)
            over |= step.terminated | step.truncated
            if over.all() or is_stopping():
                break
        else:
            played.extend(environments.running(~over))
        environments.close()
    return played


def _play_copies(
    player: Player,
    settings: EnvSettings,
    episodes: int,
    seed: int,
    sample: bool,
    max_steps: int,
    is_stopping: Callable[[], bool],
) -> list[Episode]:
    """Scalar environments, each taking the next episode of the queue when one ends."""
    from trivium.trainers.rl.environment.vector import success_of

    count = min(episodes, settings.num_envs)
    envs = [make_one(settings) for _ in range(count)]
    observations = observations_of(envs[0].observation_space)
    actions = actions_of(envs[0].action_space)
    queue = iter([derive_seed(seed, "episode", k) for k in range(episodes)])
    obs = np.zeros((count, *observations.shape), observations.dtype)
    returns, lengths = np.zeros(count), np.zeros(count, np.int64)
    starting, active = np.ones(count, np.bool_), np.ones(count, np.bool_)
    player.start(count, seed)
    for i, env in enumerate(envs):
        obs[i] = observations.one(env.reset(seed=next(queue))[0])
    played: list[Episode] = []
    while active.any() and not is_stopping():
        taken = actions.to_env(player.act(obs, starting, sample))
        starting = np.zeros(count, np.bool_)
        for i in np.flatnonzero(active).tolist():
            seen, reward, terminated, truncated, info = envs[i].step(taken[i])
            returns[i] += float(reward)
            lengths[i] += 1
            if terminated or truncated or lengths[i] >= max_steps:
                played.append(Episode(float(returns[i]), int(lengths[i]), success_of(info)))
                returns[i], lengths[i] = 0.0, 0
                next_seed = next(queue, None)
                if next_seed is None:
                    active[i] = False
                    continue
                seen = envs[i].reset(seed=next_seed)[0]
                starting[i] = True
            obs[i] = observations.one(seen)
    for env in envs:
        env.close()
    return played
