"""Learns from rollouts: advantages, then epochs of minibatches, on flat parameters.

All parameters are views of one flat tensor, so that clipping, Adam and averaging over learners are
one operation each. Several learners hold the same rollout, draw the same permutation, take each
their share of every minibatch and sum their gradients, so N learners equal one up to rounding.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trivium.trainers.rl.actor_critic.advantages import discounted_returns, gae
from trivium.trainers.rl.actor_critic.gradient import pass_of, traced_gradient
from trivium.trainers.rl.actor_critic.inference import Inference
from trivium.trainers.rl.actor_critic.objective import STATISTICS, Minibatch, Weights, gradients
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.actor_critic.policy import Policy
from trivium.trainers.rl.adam import FlatAdam, flatten_parameters, shorten_
from trivium.trainers.rl.rollout import Rollout

ADAM_EPSILON = 1e-5  # as the usual implementations of PPO have it


@dataclass(frozen=True)
class Share:
    """Which of `count` learners this is, and how they sum a tensor in place."""

    index: int = 0
    count: int = 1
    add_up: Callable[[torch.Tensor], None] = lambda _: None


class Part(NamedTuple):
    """A learner's part of a minibatch."""

    share: float
    """Of the minibatch's transitions."""
    forward: Callable[[], tuple[Minibatch, torch.Tensor, torch.Tensor]]
    """Rows, and the policy's parameters and values of them."""


class Learner:
    """Changes the weights of `policy` in place."""

    def __init__(self, policy: Policy, plan: Plan, seed: int, share: Share | None = None) -> None:
        self._policy, self._plan, self._share = policy, plan, share or Share()
        self._generator = np.random.default_rng(seed)
        flat = flatten_parameters(list(policy.parameters()))
        self._device = flat.device
        self._gradient = torch.zeros_like(flat)
        self._pass = pass_of(policy, self._gradient)
        self._inference = Inference(policy)
        self._optimizer = FlatAdam(flat, epsilon=ADAM_EPSILON)

    def update(self, rollout: Rollout, env_steps: int) -> dict[str, float]:
        """Learn from `rollout`, made after `env_steps` steps in all; statistics to report."""
        plan = self._plan
        values, next_values = self._values(rollout)
        advantages, returns = self._targets(rollout, values, next_values)
        valid = rollout.valid
        statistics = {"explained_variance": _explained_variance(values[valid], returns[valid])}
        if plan.policy.normalize_advantages:
            chosen = advantages[valid]
            advantages = (advantages - chosen.mean()) / (chosen.std() + 1e-8)
        arrays = self._rows(rollout, advantages.astype(np.float32), returns, values)
        weights = Weights(
            clip=None if plan.clip is None else plan.clip.at(env_steps),
            value_clip=plan.value_clip,
            value=plan.value_coefficient if plan.has_critic else 0.0,
            entropy=plan.policy.entropy_coefficient.at(env_steps),
        )
        lr = plan.policy.lr.at(env_steps)
        return statistics | self._epochs(rollout, arrays, weights, lr) | {"lr": lr}

    def get_state(self) -> dict[str, Any]:
        """Plain data: weights, optimizer, random numbers."""
        return {
            "weights": self._policy.state_dict(),
            "optimizer": self._optimizer.get_state(),
            "generator": self._generator.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from `get_state`."""
        self._policy.load_state_dict(state["weights"])
        self._optimizer.set_state(state["optimizer"])
        self._generator.bit_generator.state = state["generator"]

    # Advantages.

    @torch.inference_mode()
    def _values(self, rollout: Rollout) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Values [T, B] of what was acted on, and of what followed."""
        if self._policy.memory_size is not None:
            return self._values_with_memory(rollout)
        grid = rollout.starting.shape
        obs = self._tensor(rollout.obs).flatten(0, 1)
        values = self._inference.values(obs).cpu().numpy().reshape(grid)
        next_values = values[1:].copy()
        if rollout.finals:
            finals = self._tensor(np.concatenate([obs for _, _, obs in rollout.finals]))
            found, start = self._inference.values(finals).cpu().numpy(), 0
            for t, rows, _ in rollout.finals:
                next_values[t, rows] = found[start : start + len(rows)]
                start += len(rows)
        return values[:-1], next_values

    def _values_with_memory(
        self, rollout: Rollout
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert rollout.memory is not None
        memory = tuple(map(self._tensor, rollout.memory))
        finals = {t: (rows, obs) for t, rows, obs in rollout.finals}
        values = np.zeros(rollout.starting.shape, np.float32)
        ends: dict[int, NDArray[np.float32]] = {}
        for t in range(len(values)):
            obs, starting = self._tensor(rollout.obs[t]), self._tensor(rollout.starting[t])
            _, value, memory = self._policy.step(obs, starting, (memory[0], memory[1]))
            values[t] = value.cpu().numpy()
            if t in finals:
                rows, final = finals[t]
                own = (memory[0][rows], memory[1][rows])
                going_on = torch.zeros(len(rows), dtype=torch.bool, device=self._device)
                ends[t] = self._policy.step(self._tensor(final), going_on, own)[1].cpu().numpy()
        next_values = values[1:].copy()
        for t, found in ends.items():
            next_values[t, finals[t][0]] = found
        return values[:-1], next_values

    def _targets(
        self,
        rollout: Rollout,
        values: NDArray[np.float32],
        next_values: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        plan, ends = self._plan, (rollout.terminated, rollout.truncated)
        if not plan.has_critic:
            returns = discounted_returns(
                rollout.rewards, np.zeros_like(values), *ends, plan.policy.gamma
            )
            return returns, returns
        advantages = gae(
            rollout.rewards, values, next_values, *ends, plan.policy.gamma, plan.gae_lambda
        )
        return advantages, advantages + values

    # Minibatches.

    def _rows(
        self,
        rollout: Rollout,
        advantages: NDArray[np.float32],
        returns: NDArray[np.float32],
        values: NDArray[np.float32],
    ) -> Minibatch:
        """The whole rollout as a minibatch, [T * B] rows, or [T, B] with memory."""
        with torch.inference_mode(False), torch.no_grad():
            actions = self._tensor(rollout.actions).flatten(0, 1)
            parameters = self._tensor(rollout.parameters).flatten(0, 1)
            log_probs = self._policy.distribution.evaluate(parameters, actions).log_prob
            whole = Minibatch(
                self._tensor(rollout.obs[:-1]).flatten(0, 1),
                actions,
                log_probs,
                *(self._tensor(a).flatten() for a in (advantages, returns, values)),
            )
        if self._policy.memory_size is None:
            return whole
        return Minibatch(*(t.unflatten(0, rollout.valid.shape) for t in whole))

    def _epochs(
        self, rollout: Rollout, arrays: Minibatch, weights: Weights, lr: float
    ) -> dict[str, float]:
        plan, has_memory = self._plan, self._policy.memory_size is not None
        rows = np.arange(rollout.valid.shape[1]) if has_memory else np.flatnonzero(rollout.valid)
        total = torch.zeros(len(STATISTICS), device=self._device)
        norms, count = torch.zeros((), device=self._device), 0
        for _ in range(plan.epochs):
            self._generator.shuffle(rows)
            before, steps = total.clone(), 0
            for part in self._minibatches(rollout, arrays, rows):
                total += self._step(part, weights)
                norms += self._clip()
                self._optimizer.step(self._gradient, lr)
                steps += 1
            count += steps
            kl = float((total - before)[STATISTICS.index("kl")]) / steps
            if plan.target_kl is not None and kl > 1.5 * plan.target_kl:
                break
        means = (total / count).tolist()
        return dict(zip(STATISTICS, means, strict=True)) | {
            "gradient_norm": float(norms) / count,
            "gradient_steps": float(count),
        }

    def _minibatches(
        self, rollout: Rollout, arrays: Minibatch, rows: NDArray[np.intp]
    ) -> Iterator[Part]:
        """This learner's parts of the minibatches of one epoch, in the order of `rows`."""
        index, count = self._share.index, self._share.count
        parts = np.array_split(rows, self._plan.num_minibatches)
        own = [part[index::count] for part in parts]
        sizes = zip(own, parts, strict=True)
        shares = [self._size(rollout, o) / self._size(rollout, p) for o, p in sizes]
        if self._policy.memory_size is not None:
            for copies, share in zip(own, shares, strict=True):
                yield Part(share, partial(self._remembered, rollout, arrays, copies))
            return
        chosen = torch.from_numpy(np.concatenate(own)).to(self._device)
        counts = [len(o) for o in own]
        columns = [t.index_select(0, chosen).split(counts) for t in arrays]
        for fields, share in zip(zip(*columns, strict=True), shares, strict=True):
            yield Part(share, partial(self._forward, Minibatch(*fields)))

    def _forward(self, batch: Minibatch) -> tuple[Minibatch, torch.Tensor, torch.Tensor]:
        return (batch, *self._pass.forward(batch.obs))

    def _step(self, part: "Part", weights: Weights) -> torch.Tensor:
        """The gradient of a minibatch's mean loss, over all learners; statistics of the loss."""
        if part.share > 0:
            batch, parameters, values = part.forward()
            with torch.no_grad():
                by_parameters, by_values, statistics = gradients(
                    self._policy.distribution, parameters, values, batch, weights
                )
            if self._policy.memory_size is None:
                self._pass.backward(by_parameters, by_values, self._gradient)
            else:
                by_outputs = (by_parameters, by_values)
                traced_gradient(self._policy, (parameters, values), by_outputs, self._gradient)
        else:
            statistics = torch.zeros(len(STATISTICS), device=self._device)
        if self._share.count > 1:
            for tensor in (self._gradient, statistics):
                tensor.mul_(part.share)
                self._share.add_up(tensor)
        return statistics

    def _clip(self) -> torch.Tensor:
        """Shorten the gradient to max_grad_norm; its length before."""
        longest = self._plan.policy.max_grad_norm
        if longest is None:
            norm: torch.Tensor = torch.linalg.vector_norm(self._gradient)
            return norm
        return shorten_(self._gradient, longest)

    def _size(self, rollout: Rollout, rows: NDArray[np.intp]) -> int:
        """Transitions that `rows` of a minibatch hold; with memory a row is a whole copy."""
        if self._policy.memory_size is None:
            return len(rows)
        return int(rollout.valid[:, rows].sum())

    def _remembered(
        self, rollout: Rollout, arrays: Minibatch, copies: NDArray[np.intp]
    ) -> tuple[Minibatch, torch.Tensor, torch.Tensor]:
        """The whole sequences of some copies, less the rows that are no transition."""
        assert rollout.memory is not None
        chosen = torch.from_numpy(copies).to(self._device)
        sequences = Minibatch(*(t.index_select(1, chosen) for t in arrays))
        memory = (self._tensor(rollout.memory[0][copies]), self._tensor(rollout.memory[1][copies]))
        starting = self._tensor(rollout.starting[:-1, copies])
        parameters, values = self._policy.sequence(sequences.obs, starting, memory)
        valid = self._tensor(rollout.valid[:, copies]).flatten()
        batch = Minibatch(*(t.flatten(0, 1)[valid] for t in sequences))
        return batch, parameters.flatten(0, 1)[valid], values.flatten()[valid]

    def _tensor(self, array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(array).to(self._device)


def _explained_variance(values: NDArray[np.float32], returns: NDArray[np.float32]) -> float:
    """1 when the critic foretells the returns, 0 when it does no better than their mean."""
    variance = float(returns.var())
    return 0.0 if variance < 1e-12 else 1.0 - float((returns - values).var()) / variance
