"""Reinforcement learning behind the seam of `trivium.platform.algorithm`.

A subclass names its job type, its RLlib algorithm and how a policy is read from a checkpoint:

    class Ppo(RlTrainer):
        job_type = PpoJob

        def rllib_class(self):                  # imported late: it imports ray
            from trivium.trainers.rl.actor_critic.learner import PpoAlgorithm
            return PpoAlgorithm

        def load_player(self, folder): ...      # from the files of save_weights, without ray

and may add `own_metrics`, `own_facts`, `own_problems`, `own_exhibits` and `export`.

Training alternates: update; every few updates a report; every `evaluation_interval` environment
steps some episodes with seeds of their own, whose mean chooses the checkpoint `best`. When
that mean reaches `stop.return_mean`, fresh episodes must confirm it. The score of the finished run
comes from further fresh episodes, so choosing the best does not flatter it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from trivium.platform.algorithm import EvaluateOptions, Outcome, Preflight
from trivium.platform.errors import RunFailed, UserError
from trivium.platform.exhibit import Evaluation, Exhibit, Metric
from trivium.platform.run import RunFolder
from trivium.platform.run_writer import RunWriter
from trivium.trainers.rl.environment.check import check_environment
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.metrics import METRICS, score_metrics, score_shortfall
from trivium.trainers.rl.player import Player, play_episodes, scores_of
from trivium.trainers.rl.seeds import derive_seed

if TYPE_CHECKING:
    from trivium.trainers.rl.algorithm import VectorAlgorithm


class RlTrainer:
    """Base of the reinforcement learning entries of ALGORITHMS; see the module's head."""

    job_type: ClassVar[type[RlJob]] = RlJob
    costs: Sequence[Metric] = ()
    changeable: Sequence[str] = ()
    """Settings that leave no trace in the training state, so that they may change in between."""

    def __init__(self, job: RlJob) -> None:
        self.job = job

    # What a subclass fills in.

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """The RLlib algorithm that learns."""
        raise NotImplementedError

    def load_player(self, folder: Path) -> Player:
        """The policy in the checkpoint `folder`, from the files that `save_weights` wrote."""
        raise NotImplementedError

    def own_metrics(self) -> Sequence[Metric]:
        """What this algorithm reports besides returns, lengths and speed."""
        return ()

    def own_facts(self) -> Sequence[tuple[str, str]]:
        """Lines for `check`: the model, the size of an update."""
        return ()

    def own_problems(self) -> Sequence[str]:
        """What would make the run fail, known before it starts."""
        return ()

    def own_exhibits(self, player: Player) -> Sequence[Exhibit]:
        """What to show of the trained policy besides its scores."""
        return ()

    def export(self, run: RunFolder, folder: Path) -> Sequence[tuple[str, Path]]:
        """Write the best checkpoint for use without Trivium: (what it is, where it lies)."""
        raise UserError(f"{self.job.algorithm.name} cannot be exported")

    # The seam.

    @property
    def metrics(self) -> Sequence[Metric]:
        """What this algorithm reports, most important first."""
        return (*METRICS, *self.own_metrics())

    def preflight(self) -> Preflight:
        """Make the environment and check it; look at the model; start nothing."""
        checked = check_environment(self.job)
        if checked.problems:  # nothing can be made for an environment that is not right
            return Preflight(facts=checked.facts, problems=checked.problems)
        return Preflight(
            facts=(*checked.facts, *self.own_facts()),
            problems=(*checked.problems, *self.own_problems()),
            warnings=checked.warnings,
        )

    def train(self, run: RunWriter) -> Outcome:
        """Learn until `stop` says so, from the last checkpoint of `run` when it has one."""
        from trivium.trainers.rl.training import train_on

        best_step, rates = train_on(self, run)
        player = self.load_player(best_checkpoint(run.folder))
        seed = derive_seed(self.job.seed, "final")
        own = self.job.evaluation
        evaluation = self._score(player, own.confirm_episodes, seed, own.sample)
        return Outcome(evaluation, best_step, rates)

    def evaluate(self, run: RunFolder, options: EvaluateOptions) -> Evaluation:
        """Play episodes that training never saw with the best checkpoint's policy."""
        if options.split != "test":
            raise UserError(f"--split {options.split}: an environment has no splits; leave it out")
        player = self.load_player(best_checkpoint(run))
        seed = options.seed
        if seed is None:
            seed = derive_seed(self.job.seed, "evaluate")
        sample = options.sample or self.job.evaluation.sample
        return self._score(player, options.episodes, seed, sample)

    def measure(self, run: RunFolder) -> Mapping[str, float]:
        """Size of the best checkpoint's policy, and its time for an action."""
        from trivium.trainers.rl.cost import measure

        folder, seed = best_checkpoint(run), derive_seed(self.job.seed, "cost")
        return measure(self.load_player(folder), folder, self.job.env, seed)

    def verify(self, recorded: Mapping[str, float], again: Mapping[str, float]) -> str | None:
        """A sentence when the restored policy scores below what training recorded."""
        return score_shortfall(recorded, again)

    def _score(self, player: Player, episodes: int, seed: int, sample: bool) -> Evaluation:
        from trivium.trainers.rl.exhibits import episode_exhibits, still_exhibits

        played = play_episodes(
            player,
            self.job.env,
            episodes,
            seed,
            sample=sample,
            max_steps=self.job.evaluation.max_steps,
        )
        scores = scores_of(played)
        exhibits = (
            *episode_exhibits(self.job, played),
            *self.own_exhibits(player),
            *still_exhibits(self.job, player, seed),
        )
        return Evaluation(score_metrics("test", scores), exhibits)


def best_checkpoint(run: RunFolder) -> Path:
    """The folder of the best checkpoint, or of the last when there is no best yet.

    Raises:
        RunFailed: the run has neither, or its best is not what was written.
    """
    best = run.checkpoint("best")
    if best is None and (run.checkpoints / "best").exists():
        raise RunFailed(
            f"{run.id}: {run.checkpoints / 'best'} is damaged: its files are not those that its "
            f"manifest.json lists. Copy it back from where it is whole, or train again: "
            f"trivium reproduce {run.id}"
        )
    checkpoint = best or run.checkpoint("last")
    if checkpoint is None:
        raise RunFailed(f"{run.id} has no checkpoint: it ended before its first one was written")
    return checkpoint.path
