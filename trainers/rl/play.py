"""A policy at play in pictures: for `trivium play`, and for the stills of a report."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trivium.platform.errors import UserError
from trivium.platform.run import RunFolder
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.spaces import actions_of, observations_of
from trivium.trainers.rl.environment.vector import Episode, success_of
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.seeds import derive_seed

Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Recording:
    """Pictures of whole episodes, one before each step and one after the last."""

    frames: tuple[Frame, ...]
    """[H, W, 3] each."""
    frames_per_s: float
    """The environment's own pace."""
    episodes: tuple[Episode, ...]


def record(
    run: RunFolder, episodes: int = 1, seed: int | None = None, sample: bool = False
) -> Recording:
    """Play `episodes` with the best checkpoint of `run`, off screen.

    Raises:
        UserError: the environment gives no pictures, or a package for them is absent.
    """
    player, job = _policy_of(run)
    if seed is None:
        seed = derive_seed(job.seed, "play")
    return play_recorded(player, job, episodes, seed, sample or job.evaluation.sample)


def record_data(
    run: RunFolder, file: Path, episodes: int = 1, seed: int | None = None, sample: bool = False
) -> tuple[Episode, ...]:
    """Play `episodes` with the best checkpoint of `run` and write their steps to `file`.

    Raises:
        UserError: `file` does not end in .parquet.
    """
    from trivium.trainers.rl.episode_file import EpisodeRecorder, write_episodes

    if file.suffix != ".parquet":
        raise UserError(f"{file}: recorded steps are a .parquet file")
    player, job = _policy_of(run)
    if hasattr(player, "play"):
        raise UserError(
            f"{run.id}: steps are recorded of one agent without a memory of RLlib's; this policy "
            f"has more of either"
        )
    if seed is None:
        seed = derive_seed(job.seed, "play")
    env = EpisodeRecorder(make_one(job.env))
    sample = sample or job.evaluation.sample
    try:
        seeds = [derive_seed(seed, "episode", k) for k in range(episodes)]
        played = tuple(_episode(env, player, job, own, sample, lambda _: None) for own in seeds)
    finally:
        env.close()
    write_episodes(env.columns, file)
    return played


def _policy_of(run: RunFolder) -> tuple[Player, RlJob]:
    """The best policy of `run`, which acts on one environment's observations, and its job."""
    from trivium.platform.job import algorithm_class
    from trivium.trainers.rl.trainer import RlTrainer, best_checkpoint

    job = run.job()
    trainer = algorithm_class(job.algorithm.name)(job) if isinstance(job, RlJob) else None
    if not isinstance(trainer, RlTrainer):
        raise UserError(f"{run.id} has no policy to play: it is no reinforcement learning run")
    return trainer.load_player(best_checkpoint(run)), trainer.job


def play_recorded(
    player: Player, job: RlJob, episodes: int, seed: int, sample: bool = False
) -> Recording:
    """Play `episodes` with `player` and keep a picture of every step.

    Raises:
        UserError: the environment gives no pictures.
    """
    env = make_one(job.env, render=True)
    frames: list[Frame] = []
    played: list[Episode] = []
    pace = float(env.metadata.get("render_fps") or 30)
    if hasattr(player, "film"):  # RLlib's many agents and DreamerV3 play in a runner of their own
        env.close()
        pictures, played = player.film(episodes, seed, sample)
        return Recording(tuple(_as_frame(p, job) for p in pictures), pace, tuple(played))
    try:
        for k in range(episodes):
            own_seed = derive_seed(seed, "episode", k)
            episode = _episode(
                env, player, job, own_seed, sample, lambda _: frames.append(_frame(env, job))
            )
            played.append(episode)
    finally:
        env.close()
    return Recording(tuple(frames), pace, tuple(played))


def stills(
    player: Player, job: RlJob, seed: int, count: int = 4
) -> tuple[Episode, dict[int, Frame]]:
    """An episode and `count` pictures of it by step, the first and the last among them.

    It is played twice, as drawing every step would take longer.

    Raises:
        UserError: the environment gives no pictures.
    """
    sample = job.evaluation.sample
    if hasattr(player, "film"):
        film = play_recorded(player, job, 1, seed, sample)
        last = len(film.frames) - 1
        steps = np.linspace(0, last, count).round().astype(int).tolist()
        return film.episodes[0], {step: film.frames[step] for step in steps}
    env = make_one(job.env, render=True)
    shown: dict[int, Frame] = {}
    try:
        length = _episode(env, player, job, seed, sample, lambda _: None).length
        wanted = set(np.linspace(0, length, count).round().astype(int).tolist())

        def look(step: int) -> None:
            if step in wanted:
                shown[step] = _frame(env, job)

        return _episode(env, player, job, seed, sample, look), shown
    finally:
        env.close()


def save_recording(recording: Recording, file: Path) -> None:
    """Write `recording` as .mp4 or .gif.

    Raises:
        UserError: another ending, or the package for it is absent.
    """
    try:
        import imageio.v3 as imageio
    except ImportError:
        raise UserError('videos need imageio: pip install "trivium[rl]"') from None
    file.parent.mkdir(parents=True, exist_ok=True)
    frames = np.stack([_even(f) for f in recording.frames])
    if file.suffix == ".mp4":
        # yuv420p is what every browser plays; it needs an even width and height.
        options: dict[str, Any] = {"codec": "libx264", "pixelformat": "yuv420p"}
        imageio.imwrite(
            file, frames, plugin="FFMPEG", fps=recording.frames_per_s, macro_block_size=2, **options
        )
    elif file.suffix == ".gif":
        # Viewers hold a frame for at least 2 hundredths of a second.
        every = max(1, round(recording.frames_per_s / 25))
        pace = recording.frames_per_s / every
        imageio.imwrite(file, frames[::every], duration=1000 / pace, loop=0)
    else:
        raise UserError(f"{file}: a recording is an .mp4 or a .gif")


def _episode(
    env: Any, player: Player, job: RlJob, seed: int, sample: bool, look: Callable[[int], None]
) -> Episode:
    """Play one episode; `look(step)` is called before each step and after the last."""
    observations = observations_of(env.observation_space)
    actions = actions_of(env.action_space)
    obs, _ = env.reset(seed=seed)
    player.start(1, seed)
    starting, total = np.ones(1, np.bool_), 0.0
    for length in itertools.count(1):
        look(length - 1)
        stored = observations.one(obs)[None]
        action = actions.to_env(player.act(stored, starting, sample))[0]
        starting = np.zeros(1, np.bool_)
        obs, reward, terminated, truncated, info = env.step(action)
        total += float(reward)
        if terminated or truncated or length >= job.evaluation.max_steps:
            look(length)
            return Episode(total, length, success_of(info))
    raise AssertionError("an endless count ended")


def _frame(env: Any, job: RlJob) -> Frame:
    try:
        frame = env.render()
    except Exception as error:
        raise UserError.at("env.id", f"{job.env.id} cannot be drawn: {error}") from error
    return _as_frame(frame, job)


def _as_frame(frame: Any, job: RlJob) -> Frame:
    if not isinstance(frame, np.ndarray) or frame.ndim != 3:
        raise UserError.at(
            "env.id",
            f"{job.env.id} gives no pictures: its render() must return an array [H, W, 3] in the "
            f'render_mode "rgb_array"',
        )
    return frame.astype(np.uint8)


def _even(frame: Frame) -> Frame:
    return frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
