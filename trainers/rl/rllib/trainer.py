"""`rllib/NAME`: every algorithm of the installed RLlib, with our run folder and verbs.

Left out: models of ours (RLlib's own are set by `model_config`), callbacks and connectors, which
are code, and exact resumption of algorithms that collect, which RLlib does not have.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.platform.algorithm import Preflight
from trivium.platform.exhibit import Metric
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.rllib.metrics import metrics_of
from trivium.trainers.rl.rllib.settings import RllibJob
from trivium.trainers.rl.trainer import RlTrainer

if TYPE_CHECKING:
    from trivium.trainers.rl.algorithm import VectorAlgorithm


class Rllib(RlTrainer):
    """One entry for all of them; the name after `rllib/` says which."""

    job_type = RllibJob
    job: RllibJob

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See `RlTrainer`."""
        from trivium.trainers.rl.rllib.algorithm import RllibAlgorithm

        return RllibAlgorithm

    def own_metrics(self) -> Sequence[Metric]:
        """See `RlTrainer`."""
        return metrics_of(self.job.algorithm.algorithm)

    def preflight(self) -> Preflight:
        """See `RlTrainer`; an environment of many agents is looked at by RLlib alone."""
        from trivium.trainers.rl.rllib.environment import agents_of, is_multi_agent, make_for_rllib

        env = make_for_rllib(self.job.env)
        try:
            if not is_multi_agent(env):
                return super().preflight()
            agents = agents_of(env)
        finally:
            env.close()
        facts = ("environment", f"{self.job.env.id}, agents {', '.join(agents)}")
        return Preflight(facts=(facts, *self.own_facts()))

    def own_facts(self) -> Sequence[tuple[str, str]]:
        """See `RlTrainer`; RLlib checks its config here."""
        import ray

        from trivium.trainers.rl.rllib.config import make_config, needs_ray

        config = make_config(self.job)
        where = "with Ray actors" if needs_ray(config) else "in this process, without Ray actors"
        return (
            ("algorithm", f"{self.job.algorithm.algorithm} of Ray {ray.__version__}, {where}"),
            *((("policies", ", ".join(config.policies)),) if config.is_multi_agent else ()),
            *((("episodes", self._episodes()),) if self.job.algorithm.is_offline else ()),
        )

    def _episodes(self) -> str:
        """What an offline algorithm learns from, read once to see that it fits."""
        from trivium.trainers.rl.environment.make import make_one
        from trivium.trainers.rl.episode_file import find_episode_files, read_episodes

        text = self.job.algorithm.episodes
        assert text is not None
        env = make_one(self.job.env)
        try:
            found = read_episodes(
                find_episode_files(text, self.job.base), env.observation_space, env.action_space
            )
        finally:
            env.close()
        steps = sum(len(episode.rewards) for episode in found)
        mean = sum(float(episode.rewards.sum()) for episode in found) / len(found)
        return f"{len(found):,} of {text}, {steps:,} steps, mean return {mean:.4g}"

    def load_player(self, folder: Path) -> Player:
        """See `RlTrainer`; needs RLlib, whose module it is."""
        from trivium.trainers.rl.environment.make import make_one
        from trivium.trainers.rl.rllib.checkpoint import load_weights, make_runner, set_weights
        from trivium.trainers.rl.rllib.config import make_config
        from trivium.trainers.rl.rllib.players import make_player

        runner = make_runner(make_config(self.job))
        set_weights(runner, load_weights(folder))
        env = make_one(self.job.env)
        try:
            return make_player(runner, env.observation_space)
        finally:
            env.close()
