import subprocess
import sys

import gymnasium

from trivium.envs.registry import ENVS, register_all
from trivium.platform.registry import load_text


def test_registering_imports_no_environment() -> None:
    code = (
        "import sys; from trivium.envs.registry import register_all; "
        "assert not {'gymnasium', 'numpy'} & set(sys.modules); register_all(); "
        "assert not [m for m in sys.modules if m.startswith('trivium.envs.') and m.count('.') > 2]"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_registering_twice_does_nothing() -> None:
    register_all()
    first = {name: gymnasium.spec(name) for name in ENVS}
    register_all()
    assert all(gymnasium.spec(name) is first[name] for name in ENVS)


def test_entries_name_what_exists() -> None:
    for entry in ENVS.values():
        for text in (entry.env, entry.vector_env, entry.baseline):
            assert isinstance(load_text(text), type)
