"""What keeps the tree as it is meant: its shape, the direction of imports, an instant --help."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("platform", "datasets", "models", "trainers", "envs", "tuning")
# Which rooms a room may import. What every room shares is the floor of platform.
ALLOWED = {
    "datasets": {"datasets", "platform"},
    "models": {"models", "platform"},
    "envs": {"envs", "platform"},
    "trainers": {"trainers", "datasets", "models", "envs", "platform"},
    "tuning": {"tuning", "trainers", "datasets", "models", "envs", "platform"},
    "platform": {"platform"},
}


def imported_rooms(file: Path) -> set[str]:
    """The rooms that a file imports, inside functions too, but for type checking alone."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {n.split(".")[1] for n in names if n.startswith("trivium.")}


@pytest.mark.parametrize("room", [*ROOMS, "tests"])
def test_no_room_is_a_package_that_could_shadow_another(room: str) -> None:
    assert list((ROOT / room).rglob("__init__.py")) == []


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_one_way(room: str) -> None:
    for file in (ROOT / room).rglob("*.py"):
        strangers = imported_rooms(file) - ALLOWED[room]
        assert not strangers, f"{file.relative_to(ROOT)} imports {strangers}"


@pytest.mark.parametrize("room", ROOMS)
def test_imports_are_absolute(room: str) -> None:
    for file in (ROOT / room).rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        relative = [n.lineno for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and n.level]
        assert relative == [], f"{file.relative_to(ROOT)}: relative import at {relative}"


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_typed_and_linked(room: str) -> None:
    assert (ROOT / room / "py.typed").is_file()
    assert (ROOT / ".namespace" / "trivium" / room).resolve() == (ROOT / room).resolve()


def test_every_registry_entry_can_be_imported() -> None:
    from trivium.platform.registry import load_text

    for file in ROOT.glob("*/registry.py"):
        if file.parent.name not in ROOMS or file.parent.name == "platform":
            continue  # platform/registry.py is the look-up itself
        module = importlib.import_module(f"trivium.{file.parent.name}.registry")
        for name, registry in vars(module).items():
            if name.isupper() and isinstance(registry, dict):
                texts = [t for t in registry.values() if isinstance(t, str)]
                assert all(load_text(text) is not None for text in texts)


def test_the_standard_library_keeps_its_platform_module() -> None:
    code = "import platform, uuid; print(platform.python_version())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ".".join(map(str, sys.version_info[:3]))


def test_help_imports_neither_torch_nor_ray() -> None:
    code = (
        "import sys\n"
        "from trivium.platform.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'ray', 'pyarrow', 'pandas', 'numpy', 'sklearn', 'gymnasium'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)))"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.rstrip().endswith("loaded []")
