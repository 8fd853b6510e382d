"""What `ppo`, `a2c` and `reinforce` have in common behind the seam."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from trivium.platform.exhibit import Metric
from trivium.platform.run import RunFolder
from trivium.trainers.rl.actor_critic.build import load_policy, make_policy, spaces_of
from trivium.trainers.rl.actor_critic.metrics import METRICS
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.player import PolicyPlayer
from trivium.trainers.rl.actor_critic.settings import PolicySettings
from trivium.trainers.rl.cost import COSTS
from trivium.trainers.rl.job import NetworkJob
from trivium.trainers.rl.player import Player
from trivium.trainers.rl.trainer import RlTrainer

if TYPE_CHECKING:
    from trivium.trainers.rl.algorithm import VectorAlgorithm


class ActorCriticJob(NetworkJob):
    """A job of the family; a member adds `plan`."""

    algorithm: PolicySettings
    uses_env_runners: ClassVar[bool] = True
    uses_learners: ClassVar[bool] = True

    @property
    def num_copies(self) -> int:
        """Copies of the environment over all runners."""
        return self.env.num_envs * max(1, self.resources.num_env_runners)

    def plan(self) -> Plan:
        """What the learner reads."""
        raise NotImplementedError


class ActorCriticTrainer(RlTrainer):
    """Base of the three entries; each names its job type, whose `plan()` is what they differ in."""

    job: ActorCriticJob
    costs = COSTS
    changeable = tuple(
        f"algorithm.{name}"
        for name in (
            "lr", "gamma", "gae_lambda", "entropy_coefficient", "value_coefficient",
            "max_grad_norm", "normalize_advantages", "epochs", "minibatch_size", "clip",
            "value_clip", "target_kl",
        )
    )  # fmt: skip

    def rllib_class(self) -> "type[VectorAlgorithm]":
        """See RlTrainer."""
        from trivium.trainers.rl.actor_critic.algorithm import ActorCritic

        return ActorCritic

    def load_player(self, folder: Path) -> Player:
        """See RlTrainer."""
        return PolicyPlayer(load_policy(self.job, self.job.plan(), folder))

    def own_metrics(self) -> Sequence[Metric]:
        """See RlTrainer."""
        return METRICS

    def own_facts(self) -> Sequence[tuple[str, str]]:
        """See RlTrainer."""
        plan = self.job.plan()
        policy = make_policy(self.job, plan, *spaces_of(self.job))
        count = sum(p.numel() for p in policy.parameters())
        batch = (
            "one episode of each copy"
            if plan.rollout_steps is None
            else f"{plan.rollout_steps} steps x {self.job.num_copies} copies = "
            f"{plan.rollout_steps * self.job.num_copies:,}"
        )
        steps = plan.epochs * plan.num_minibatches
        return (
            ("model", f"{self.job.model.name}, {count:,} parameters with the critic's"),
            ("update", f"{batch}, in {steps} gradient step{'s' if steps > 1 else ''}"),
        )

    def own_problems(self) -> list[str]:
        """See RlTrainer."""
        _, actions = spaces_of(self.job)
        if actions.kind == "continuous":
            return []
        given, fields = self.job.algorithm, type(self.job.algorithm).model_fields
        return [
            f"algorithm.{name}: is for continuous actions, and {self.job.env.id} has "
            f"{actions.space}; leave it out"
            for name in ("action_bounds", "state_dependent_std", "initial_log_std")
            if getattr(given, name) != fields[name].default
        ]

    def export(self, run: RunFolder, folder: Path) -> Sequence[tuple[str, Path]]:
        """See RlTrainer."""
        from trivium.trainers.rl.actor_critic.export import export_policy
        from trivium.trainers.rl.trainer import best_checkpoint

        plan = self.job.plan()
        return export_policy(self.job, load_policy(self.job, plan, best_checkpoint(run)), folder)
