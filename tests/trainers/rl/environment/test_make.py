from pathlib import Path

import pytest

from trivium.platform.errors import UserError
from trivium.trainers.rl.environment.make import has_native_vector, make_one, step_limit
from trivium.trainers.rl.environment.settings import EnvSettings

DOOR_KEY = {"id": "MiniGrid-DoorKey-5x5-v0"}


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


def test_minigrid_limits_its_episodes_by_itself() -> None:
    pytest.importorskip("minigrid")
    assert step_limit(EnvSettings.model_validate(DOOR_KEY)) == 250


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


def test_minigrid_codes_say_kind_colour_and_state_of_each_cell_then_the_direction() -> None:
    pytest.importorskip("minigrid")
    plain = make_one(EnvSettings.model_validate(DOOR_KEY))
    coded = make_one(EnvSettings.model_validate(DOOR_KEY | {"wrappers": ["minigrid_codes"]}))
    seen, codes = plain.reset(seed=3)[0], coded.reset(seed=3)[0]
    assert codes.shape == (7 * 7 * 3 + 1,)
    assert codes[:-1].reshape(7, 7, 3).tolist() == seen["image"].tolist()
    assert codes[-1] == seen["direction"]
    assert coded.observation_space.contains(codes)
    assert coded.observation_space.nvec.tolist() == [11, 6, 3] * 49 + [4]


def test_minigrid_codes_are_for_minigrid() -> None:
    assert message(id="CartPole-v1", wrappers=["minigrid_codes"]).startswith(
        "env.wrappers.0: it reads MiniGrid's direction and image, and this has Box("
    )


def test_a_text_cannot_be_flattened() -> None:
    pytest.importorskip("minigrid")
    text = message(**DOOR_KEY, wrappers=["flatten"])
    assert text.startswith("env.wrappers.0: MissionSpace(")
    assert text.endswith(
        " has no fixed size: name the wrapper minigrid_codes, which leaves out MiniGrid's text"
    )
