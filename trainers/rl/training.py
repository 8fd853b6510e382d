"""The training loop of every RlTrainer: update, report, evaluate, save, stop.

All decisions but `stop.time_s` and the moments of saving depend on environment steps only, so that
one seed gives one result, and a killed run resumes to the same numbers.
"""

import math
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trivium.platform.errors import RunFailed
from trivium.platform.interrupt import Interrupted
from trivium.platform.run_writer import RunWriter
from trivium.trainers.rl.environment.vector import Episode
from trivium.trainers.rl.metrics import score_metrics
from trivium.trainers.rl.player import play_episodes, scores_of
from trivium.trainers.rl.remote import ActorDied
from trivium.trainers.rl.seeds import derive_seed

if TYPE_CHECKING:
    from trivium.trainers.rl.trainer import RlTrainer

REPORTS_PER_EVALUATION = 5
NEAR = 100
"""Training episodes whose mean return calls for an early evaluation."""


MOST_DEATHS = 3
"""Of actors, without a new checkpoint between them; then the run fails."""


def train_on(trainer: "RlTrainer", run: RunWriter) -> tuple[int, dict[str, float]]:
    """Train to the end; when an actor dies, go on with new ones from the last checkpoint.

    Raises:
        What `Training.run` raises; ActorDied when there are no checkpoints between the deaths.
    """
    deaths, step = 0, -1
    while True:
        try:
            return Training(trainer, run).run()
        except ActorDied as death:
            saved = run.folder.saved("last")
            deaths = 1 if saved is not None and saved.step > step else deaths + 1
            step = saved.step if saved is not None else step
            if deaths > MOST_DEATHS:
                raise
            run.say(f"{death.who}; training goes on from the last checkpoint")


class Training:
    """One run of one trainer; `run` returns (best step, rates)."""

    def __init__(self, trainer: "RlTrainer", run: RunWriter) -> None:
        from trivium.trainers.rl.algorithm import build

        self._trainer, self._run, self._job = trainer, run, trainer.job
        self._algorithm = build(self._job, trainer.rllib_class())
        self._step = 0
        self._best: float | None = None
        self._best_step = 0
        self._reached = self._owes_evaluation = False
        self._next_evaluation = self._job.evaluation_interval
        self._report_interval = max(1, self._job.evaluation_interval // REPORTS_PER_EVALUATION)
        self._next_report = self._report_interval
        self._sums: dict[str, float] = {}
        self._updates_since_report = 0
        self._episodes: list[Episode] = []
        self._recent: deque[float] = deque(maxlen=NEAR)
        self._learning_s = 0.0
        self._steps_at_start = self._reported_steps = 0
        self._learning_s_at_report = 0.0

    def run(self) -> tuple[int, dict[str, float]]:
        """Train to the end.

        Raises:
            RunFailed: a value that is not finite, or a failing environment.
            Interrupted: the user asked to stop; the state is saved.
        """
        self._resume()
        try:
            if self._owes_evaluation:
                self._evaluate_and_report()
            while not self._is_over():
                self._update()
            self._save()
        finally:
            self._algorithm.stop()
        steps = self._algorithm.env_steps - self._steps_at_start
        return self._best_step, {"env_steps_per_s": steps / max(self._learning_s, 1e-9)}

    def _update(self) -> None:
        began = time.perf_counter()
        self._algorithm.advance()
        self._learning_s += time.perf_counter() - began
        self._step += 1
        self._run.mark_first_step()
        self._collect()
        steps = self._algorithm.env_steps
        limit = self._job.stop.env_steps
        self._run.progress(min(steps, limit or steps), limit or 0, "env steps")
        if steps >= self._next_evaluation or self._is_near() or self._is_out_of_steps():
            self._owes_evaluation = True
            self._evaluate_and_report()
        elif steps >= self._next_report:
            self._report({})
        if self._run.stop and not self._is_over():
            self._stop()
        if self._run.checkpoint_due():
            self._save()

    def _stop(self) -> None:
        self._save()
        steps = self._algorithm.env_steps
        raise Interrupted(f"stopped after {steps:,} environment steps; the state is saved")

    def _evaluate_and_report(self) -> None:
        """An evaluation that is cut short by a stop is played anew when the run resumes."""
        found = self._evaluate()
        if found is None:
            self._stop()
        else:
            self._report(found)
            self._next_evaluation = self._algorithm.env_steps + self._job.evaluation_interval
            self._owes_evaluation = False

    def _collect(self) -> None:
        check_finite(self._algorithm.last_update, self._step)
        for name, value in self._algorithm.last_update.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._updates_since_report += 1
        ended = self._algorithm.take_last_episodes()
        self._episodes += ended
        self._recent.extend(e.episode_return for e in ended)

    def _report(self, more: dict[str, float]) -> None:
        metrics = {k: v / self._updates_since_report for k, v in self._sums.items()}
        if self._episodes:
            returns = [e.episode_return for e in self._episodes]
            metrics |= {
                "train/return_mean": sum(returns) / len(returns),
                "train/return_min": min(returns),
                "train/return_max": max(returns),
                "train/length_mean": sum(e.length for e in self._episodes) / len(returns),
            }
        metrics["train/episodes"] = float(len(self._episodes))
        steps = self._algorithm.env_steps
        seconds = max(self._learning_s - self._learning_s_at_report, 1e-9)
        metrics["env_steps_per_s"] = (steps - self._reported_steps) / seconds
        self._run.report(self._step, more | metrics, env_steps=steps)
        self._sums, self._updates_since_report, self._episodes = {}, 0, []
        self._learning_s_at_report, self._reported_steps = self._learning_s, steps
        self._next_report = steps + self._report_interval

    def _evaluate(self) -> dict[str, float] | None:
        """Play greedily; keep the policy when it is the best so far; confirm the target.

        Returns:
            What to report; None when the user stopped the run meanwhile.
        """
        scores = self._play("selection", self._job.evaluation.episodes)
        if scores is None:
            return None
        mean, target = scores.return_mean, self._job.stop.return_mean
        if self._best is None or mean > self._best:
            self._best, self._best_step = mean, self._step
            self._run.save_checkpoint(self._step, self._algorithm.save_weights, name="best")
        if target is not None and mean >= target:
            confirmed = self._play("confirm", self._job.evaluation.confirm_episodes)
            if confirmed is None:
                return None
            if confirmed.return_mean - confirmed.error >= target:
                self._reached = True
                self._best_step = self._step
                self._run.save_checkpoint(self._step, self._algorithm.save_weights, name="best")
        return score_metrics("evaluation", scores)

    def _play(self, purpose: str, episodes: int) -> Any:
        played = play_episodes(
            self._algorithm.player(),
            self._job.env,
            episodes,
            derive_seed(self._job.seed, purpose, self._step),
            sample=self._job.evaluation.sample,
            max_steps=self._job.evaluation.max_steps,
            is_stopping=lambda: self._run.stop,
        )
        return scores_of(played) if len(played) == episodes else None

    def _is_near(self) -> bool:
        """The training returns already reach the target: look before the interval is over."""
        target = self._job.stop.return_mean
        if target is None or len(self._recent) < NEAR:
            return False
        if sum(self._recent) / NEAR < target:
            return False
        self._recent.clear()
        return True

    def _is_out_of_steps(self) -> bool:
        limit = self._job.stop.env_steps
        return limit is not None and self._algorithm.env_steps >= limit

    def _is_over(self) -> bool:
        limit_s = self._job.stop.time_s
        if self._reached or self._is_out_of_steps():
            return True
        return limit_s is not None and self._run.time_s >= limit_s

    # Saving and resuming.

    def _save(self) -> None:
        more = {name: getattr(self, f"_{name}") for name in _KEPT} | {
            "recent": list(self._recent),
            "episodes": [tuple(e) for e in self._episodes],
        }

        def fill(path: Path) -> None:
            self._algorithm.save_weights(path)
            self._algorithm.save_training_state(path, more)

        self._run.save_checkpoint(self._step, fill)

    def _resume(self) -> None:
        checkpoint = self._run.resume()
        if checkpoint is None:
            return
        exact, more = self._algorithm.load_training_state(checkpoint.path)
        for name in _KEPT:
            setattr(self, f"_{name}", more[name])
        self._recent.extend(more["recent"])
        self._episodes = [Episode(*e) for e in more["episodes"]]
        self._steps_at_start = self._algorithm.env_steps
        self._learning_s_at_report = 0.0
        if not exact:
            self._run.say(self._algorithm.inexact_resume)


_KEPT = (
    "step",
    "best",
    "best_step",
    "reached",
    "owes_evaluation",
    "next_evaluation",
    "next_report",
    "sums",
    "updates_since_report",
    "reported_steps",
)


def check_finite(metrics: Mapping[str, float], step: int) -> None:
    """Stop a run that has diverged.

    Raises:
        RunFailed: naming the metric, and what usually helps.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise RunFailed(
                f"{name} is {value} in update {step}: learning diverged. Lower algorithm.lr, or "
                f"give env.wrappers normalize_observation and normalize_reward."
            )
