"""Weights of RLlib's modules as safetensors, and env runners that read them back."""

import copy
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS = "weights.safetensors"


def make_runner(config: Any, callbacks: Any = None, render: bool = False) -> Any:
    """An env runner of one environment that takes no part in training.

    `callbacks` is an RLlibCallback class; with `render` the environment gives pictures.
    """
    own = copy.deepcopy(config)
    own._is_frozen = False
    own.env_runners(num_env_runners=0, num_envs_per_env_runner=1)
    own.callbacks_class = callbacks or _no_callbacks()
    own.environment(env_config={"render": render})
    kind = own.env_runner_cls
    if kind is None:
        kind = _default_runner(own)
    return kind(config=own, worker_index=0)


def _default_runner(config: Any) -> Any:
    if config.is_multi_agent:
        from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner

        return MultiAgentEnvRunner
    from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

    return SingleAgentEnvRunner


def _no_callbacks() -> Any:
    from ray.rllib.callbacks.callbacks import RLlibCallback

    return RLlibCallback


def weights_of(algorithm: Any) -> dict[str, dict[str, Any]]:
    """Module name -> its state, what acting needs of it, from the learner."""
    state = algorithm.learner_group.get_state(components="learner/rl_module", inference_only=True)
    modules: dict[str, dict[str, Any]] = state["learner"]["rl_module"]
    return modules


def set_weights(runner: Any, modules: dict[str, dict[str, Any]]) -> None:
    """Put the weights of `weights_of` into an env runner's module."""
    own = modules if len(modules) > 1 or _is_multi(runner) else next(iter(modules.values()))
    runner.module.set_state(own)


def _is_multi(runner: Any) -> bool:
    from ray.rllib.core.rl_module.multi_rl_module import MultiRLModule

    return isinstance(runner.module, MultiRLModule)


def save_weights(modules: dict[str, dict[str, Any]], folder: Path) -> None:
    """Write the weights as `module/parameter`."""
    from safetensors.numpy import save_file

    flat = {
        f"{module}/{name}": np.ascontiguousarray(_array(value))
        for module, state in modules.items()
        for name, value in state.items()
    }
    save_file(flat, folder / WEIGHTS)


def load_weights(folder: Path) -> dict[str, dict[str, Any]]:
    """What `save_weights` wrote."""
    from safetensors.numpy import load_file

    modules: dict[str, dict[str, Any]] = {}
    for name, value in load_file(folder / WEIGHTS).items():
        module, _, parameter = name.partition("/")
        modules.setdefault(module, {})[parameter] = value
    return modules


_LEFT_OUT = (
    "curr_log_alpha",
    "curr_kl_coeffs_per_module",
    "moving_avg_sqd_adv_norms_per_module",
)
"""What RLlib's learners adapt by module beside their networks, and leave out of their state."""


def left_out_state(learner_group: Any) -> dict[str, dict[str, Any]]:
    """Attribute -> module -> value, of a learner in this process; empty of one elsewhere."""
    if learner_group.is_remote:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for name in _LEFT_OUT:
        values = getattr(learner_group._learner, name, {})
        found[name] = {module: np.array(_array(value)) for module, value in values.items()}
    return found


def set_left_out_state(learner_group: Any, state: dict[str, dict[str, Any]]) -> None:
    """Put what `left_out_state` gave into the learner's own tensors."""
    import torch

    for name, values in state.items():
        own = getattr(learner_group._learner, name, {})
        for module, value in values.items():
            with torch.no_grad():
                own[module].copy_(torch.as_tensor(value).reshape(own[module].shape))


def _array(value: Any) -> Any:
    return value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
