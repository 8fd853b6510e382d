"""The settings of `rllib/NAME`: whatever the config of that RLlib algorithm takes."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

from pydantic import Field, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from trivium.platform.errors import UserError
from trivium.platform.settings import ComponentSettings
from trivium.trainers.rl.job import RlJob
from trivium.trainers.rl.rllib.catalog import OFFLINE, check_settings, config_class


class RllibSettings(ComponentSettings):
    """Settings of `rllib/NAME`; they stand beside `name`, as RLlib calls them.

    For instance `{name: rllib/SAC, gamma: 0.99, train_batch_size_per_learner: 256}`, or grouped
    by the methods of RLlib's config: `{name: rllib/SAC, training: {gamma: 0.99}}`.
    """

    policy_mapping: Literal["shared", "per_agent"] | dict[str, str] = "shared"
    """Of an environment of many agents: one policy for all, one for each, or agent: policy."""
    episodes: str | None = None
    """Recorded episodes that BC, MARWIL, CQL and IQL learn from: a Parquet file, a folder or a
    pattern; `trivium play RUN --data FILE.parquet` writes such a file."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What RLlib's config takes; filled with all that stands beside `name`."""

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "name" not in data:
            return data
        own = {k: v for k, v in data.items() if k in ("name", "policy_mapping", "episodes")}
        given = {k: _plain(v) for k, v in data.items() if k not in (*own, "settings")}
        given |= dict(data.get("settings", {}))
        try:
            try:
                config = config_class(str(data["name"]).partition("/")[2])
            except UserError as error:
                raise error.under("name") from None
            check_settings(config, given)
            _check_episodes(config.__name__.removesuffix("Config"), data.get("episodes"), given)
        except UserError as error:
            raise PydanticCustomError(
                "component", "wrong component", {"mistakes": error.mistakes}
            ) from None
        return own | {"settings": given}

    @model_serializer(mode="wrap")
    def _spread(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        plain = handler(self)
        settings: dict[str, Any] = plain.pop("settings")
        return {**plain, **settings}

    @property
    def algorithm(self) -> str:
        """RLlib's name of it, SAC of rllib/SAC."""
        return self.name.partition("/")[2]

    @property
    def is_offline(self) -> bool:
        """Whether it learns from recorded episodes."""
        return self.algorithm in OFFLINE


class RllibJob(RlJob):
    """A job that an algorithm of RLlib itself learns; its model is RLlib's `model_config`."""

    algorithm: RllibSettings
    """How it is learned."""

    uses_learners = True
    uses_env_runners = True

    @model_validator(mode="after")
    def _offline_steps_nothing(self) -> Self:
        if self.algorithm.is_offline and self.resources.num_env_runners:
            raise ValueError(
                f"resources.num_env_runners: {self.algorithm.algorithm} learns from recorded "
                f"episodes and steps no environment; leave it out"
            )
        return self

    @model_validator(mode="after")
    def _wrappers_take_effect(self) -> Self:
        for wrapper in self.env.wrappers:
            if wrapper.name in ("normalize_observation", "normalize_reward", "clip_reward"):
                raise ValueError(
                    f"env.wrappers: {wrapper.name} acts inside our own algorithms, and RLlib "
                    f"steps the environment here: name a gymnasium.Wrapper of your own, as "
                    f"my_file.py:MyWrapper"
                )
        return self


def _check_episodes(algorithm: str, episodes: Any, given: Mapping[str, Any]) -> None:
    """Offline algorithms need recorded episodes; the others have no use for them."""
    if algorithm in OFFLINE:
        if episodes is None:
            raise UserError.at(
                "episodes",
                f"is required: {algorithm} learns from recorded episodes; `trivium play RUN "
                f"--episodes 100 --data episodes.parquet` records those of a trained policy",
            )
        return
    if episodes is not None:
        raise UserError.at(
            "episodes",
            f"{algorithm} learns from episodes that it plays itself; leave it out "
            f"({', '.join(OFFLINE)} learn from recorded ones)",
        )
    flat = {**given, **given.get("offline_data", {})}
    if "dataset_num_iters_per_learner" in flat:
        raise UserError.at(
            "dataset_num_iters_per_learner",
            f"is for algorithms that learn from recorded episodes, and {algorithm} does not",
        )


def _plain(value: Any) -> Any:
    """YAML's own kinds of mapping and list as Python's, which RLlib tells apart."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
