from pathlib import Path

import pytest

from trivium.platform.errors import UserError
from trivium.trainers.rl.environment.make import has_native_vector, make_one, step_limit
from trivium.trainers.rl.environment.settings import EnvSettings


def message(**settings: object) -> str:
    with pytest.raises(UserError) as error:
        make_one(EnvSettings.model_validate(settings))
    return str(error.value)


def test_an_unknown_id_gets_the_nearest_one() -> None:
    assert message(id="CartPol-v1") == (
        "env.id: unknown environment 'CartPol-v1'; did you mean CartPole-v1?"
    )


def test_an_unknown_version_gets_those_that_there_are() -> None:
    assert message(id="CartPole-v9") == (
        "env.id: unknown environment 'CartPole-v9'; this Gymnasium has CartPole-v0, CartPole-v1"
    )


def test_an_argument_that_the_environment_does_not_take_is_named() -> None:
    assert message(id="CartPole-v1", kwargs={"gravity": 3}) == (
        "env.kwargs: CartPole-v1 does not take these arguments: CartPoleEnv.__init__() got an "
        "unexpected keyword argument 'gravity'"
    )


def test_an_own_class_that_is_no_environment_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class Mine:\n    pass\n")
    name = f"{tmp_path / 'mine.py'}:Mine"
    assert message(id=name) == (
        f"env.id: {name} makes a Mine; it must be a gymnasium.Env (class Mine(gymnasium.Env): ...)"
    )


def test_a_missing_own_class_gets_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("class MyEnv:\n    pass\n")
    name = f"{tmp_path / 'mine.py'}:MyEnvs"
    assert (
        message(id=name) == f"env.id: {tmp_path / 'mine.py'} has no 'MyEnvs'; did you mean MyEnv?"
    )


def test_an_absent_package_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "Box2D", None)
    for name in [n for n in sys.modules if n.startswith("gymnasium.envs.box2d")]:
        monkeypatch.delitem(sys.modules, name)
    assert message(id="LunarLander-v3") == (
        "env.id: LunarLander-v3 needs the package box2d, which is absent: "
        'pip install "trivium[rl-envs]"'
    )


def test_wrappers_of_single_environments_pass_over_the_native_version() -> None:
    plain = EnvSettings(id="CartPole-v1")
    wrapped = EnvSettings.model_validate({"id": "CartPole-v1", "wrappers": ["flatten"]})
    normalized = EnvSettings.model_validate(
        {"id": "CartPole-v1", "wrappers": ["normalize_observation"]}
    )
    assert [has_native_vector(s) for s in (plain, wrapped, normalized)] == [True, False, True]


def test_a_time_limit_replaces_the_environments_own() -> None:
    settings = EnvSettings.model_validate(
        {"id": "CartPole-v1", "wrappers": [{"name": "time_limit", "steps": 7}]}
    )
    assert step_limit(settings) == 7
    assert step_limit(EnvSettings(id="CartPole-v1")) == 500
    assert step_limit(EnvSettings(id="CliffWalking-v1")) is None


def test_an_own_wrapper_takes_its_settings(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import gymnasium\n"
        "class Half(gymnasium.RewardWrapper):\n"
        "    def __init__(self, env, factor: float = 0.5):\n"
        "        super().__init__(env)\n"
        "        self.factor = factor\n"
        "    def reward(self, reward):\n"
        "        return reward * self.factor\n"
    )
    wrapper = {"name": f"{tmp_path / 'mine.py'}:Half", "factor": 0.25}
    env = make_one(EnvSettings.model_validate({"id": "CartPole-v1", "wrappers": [wrapper]}))
    env.reset(seed=0)
    assert env.step(0)[1] == 0.25
