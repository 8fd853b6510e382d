"""MuJoCo is drawn without a display as often as one likes, or it is said why not."""

import ctypes.util
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from trivium.platform.errors import UserError
from trivium.trainers.rl.environment import off_screen
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.settings import EnvSettings

DRAWN_TWICE = """
from trivium.trainers.rl.environment.make import make_one
from trivium.trainers.rl.environment.settings import EnvSettings
for _ in range(2):
    env = make_one(EnvSettings(id="Hopper-v5"), render=True)
    env.reset(seed=0)
    print(env.render().std() > 1)
    env.close()
"""
WITHOUT_DISPLAY = ("DISPLAY", "WAYLAND_DISPLAY", "MUJOCO_GL")


@pytest.fixture(autouse=True)
def headless(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    pytest.importorskip("mujoco", reason="mujoco is in the rl-envs extra")
    for name in WITHOUT_DISPLAY:
        monkeypatch.delenv(name, raising=False)
    off_screen._library.cache_clear()
    yield
    off_screen._library.cache_clear()


@pytest.mark.skipif(not ctypes.util.find_library("EGL"), reason="this machine has no EGL")
def test_a_process_draws_one_environment_after_the_other() -> None:
    own = {k: v for k, v in os.environ.items() if k not in WITHOUT_DISPLAY}
    done = subprocess.run(
        [sys.executable, "-c", DRAWN_TWICE], env=own, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, ["True", "True"]), done.stderr


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda _: None)
    with pytest.raises(UserError) as caught:
        make_one(EnvSettings(id="Hopper-v5"), render=True)
    assert str(caught.value) == (
        "env.id: Hopper-v5 cannot be drawn here: without a display MuJoCo needs EGL or OSMesa, "
        "and this machine has neither (Debian: apt install libegl1 libgl1-mesa-dri)"
    )
    make_one(EnvSettings(id="CartPole-v1"), render=True).close()
