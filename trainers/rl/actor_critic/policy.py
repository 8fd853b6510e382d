"""The network of the family: from stored observations to action parameters and values."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import nn

from trivium.trainers.rl.actor_critic.distributions import distribution_of
from trivium.trainers.rl.actor_critic.plan import Plan
from trivium.trainers.rl.environment.spaces import Actions, Observations
from trivium.trainers.rl.observation_encoder import ObservationEncoder

Memory: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Hidden and cell state of an LSTM, each [B, memory]."""
MakeNetwork: TypeAlias = Callable[[int], nn.Module]
"""Makes the job's model with this output size."""


class Policy(nn.Module):
    """Actor and critic over one encoder.

    Both are the job's model, two of them or one with an output more (`shared`). With `memory`, the
    model's output goes through an LSTM and two linear heads. Shapes: N rows, P parameters.
    """

    def __init__(
        self,
        make_network: MakeNetwork,
        observations: Observations,
        actions: Actions,
        plan: Plan,
        observation_clip: float | None,
    ) -> None:
        super().__init__()
        self.distribution = distribution_of(actions, plan.policy.action_bounds)
        self.is_continuous = actions.kind == "continuous"
        self.encoder = ObservationEncoder(observations, observation_clip)
        size = self.distribution.num_parameters
        self.has_free_std = self.is_continuous and not plan.policy.state_dependent_std
        if self.has_free_std:
            size //= 2
            self.log_std = nn.Parameter(torch.full((size,), plan.policy.initial_log_std))
        self.size, self.shared, self.has_critic = size, plan.shared, plan.has_critic
        self.memory_size = plan.policy.memory
        if plan.policy.memory is not None:
            self.network = make_network(plan.policy.memory)
            self.cell = nn.LSTMCell(plan.policy.memory, plan.policy.memory)
            self.heads = nn.Linear(plan.policy.memory, size + 1)
            _scale_rows(self.heads, size, plan.policy.policy_gain)
        elif plan.shared:
            self.network = make_network(size + 1)
            _scale_rows(_last_linear(self.network), size, plan.policy.policy_gain)
        else:
            self.actor = make_network(size)
            _scale_rows(_last_linear(self.actor), size, plan.policy.policy_gain)
            if plan.has_critic:
                self.critic = make_network(1)

    def forward(self, obs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Stored observations [N, *shape] to parameters [N, P] and values [N]; not with memory."""
        features = self.encoder(obs)
        if self.shared:
            out = self.network(features)
            return self.with_spread(out[:, : self.size]), out[:, self.size]
        parameters = self.with_spread(self.actor(features))
        if not self.has_critic:
            return parameters, torch.zeros(obs.shape[0], device=obs.device)
        return parameters, self.critic(features)[:, 0]

    def act(self, obs: torch.Tensor) -> torch.Tensor:
        """Parameters [N, P] alone; not with memory."""
        features = self.encoder(obs)
        if self.shared:
            return self.with_spread(self.network(features)[:, : self.size])
        return self.with_spread(self.actor(features))

    def values(self, obs: torch.Tensor) -> torch.Tensor:
        """Values [N] alone; not with memory."""
        if self.shared or not self.has_critic:
            return self.forward(obs)[1]
        values: torch.Tensor = self.critic(self.encoder(obs))[:, 0]
        return values

    def initial_memory(self, num_envs: int) -> Memory:
        """An empty memory of `num_envs` copies."""
        assert self.memory_size is not None
        zeros = torch.zeros(num_envs, self.memory_size, device=self.heads.weight.device)
        return zeros, zeros

    def step(
        self, obs: torch.Tensor, starting: torch.Tensor, memory: Memory
    ) -> tuple[torch.Tensor, torch.Tensor, Memory]:
        """One step with memory; obs [B, *shape], `starting` [B] empties it for new episodes."""
        features = self.network(self.encoder(obs))
        return self._remember(features, starting, memory)

    def sequence(
        self, obs: torch.Tensor, starting: torch.Tensor, memory: Memory
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Steps [T, B, *shape] with memory: parameters [T, B, P] and values [T, B]."""
        num_steps, num_envs = starting.shape
        features = self.network(self.encoder(obs.flatten(0, 1))).unflatten(0, (num_steps, num_envs))
        rows = []
        for t in range(num_steps):
            parameters, values, memory = self._remember(features[t], starting[t], memory)
            rows.append((parameters, values))
        return torch.stack([p for p, _ in rows]), torch.stack([v for _, v in rows])

    def _remember(
        self, features: torch.Tensor, starting: torch.Tensor, memory: Memory
    ) -> tuple[torch.Tensor, torch.Tensor, Memory]:
        keep = (~starting).unsqueeze(1).float()
        state = self.cell(torch.tanh(features), (memory[0] * keep, memory[1] * keep))
        out = self.heads(state[0])
        return self.with_spread(out[:, : self.size]), out[:, self.size], state

    def with_spread(self, out: torch.Tensor) -> torch.Tensor:
        """The network's outputs as parameters [N, P] of the distribution."""
        if self.has_free_std:
            return torch.cat((out, self.log_std.expand_as(out)), 1)
        if self.is_continuous:
            mean, log_std = out.chunk(2, 1)
            return torch.cat((mean, log_std.clamp(-5.0, 2.0)), 1)
        return out


def _last_linear(network: nn.Module) -> nn.Linear | None:
    linears = [m for m in network.modules() if isinstance(m, nn.Linear)]
    return linears[-1] if linears else None


def _scale_rows(head: nn.Linear | None, size: int, gain: float | None) -> None:
    """Shrink the first `size` outputs, so that a new policy is nearly uniform and unbiased."""
    if head is not None and gain is not None:
        with torch.no_grad():
            head.weight[:size] *= gain
