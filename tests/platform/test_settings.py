"""Settings: every mistake at once, each with its path, its value and what would be right."""

import sys
import types
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from trivium.platform.errors import UserError
from trivium.platform.settings import (
    ComponentSettings,
    Many,
    Settings,
    build,
    component,
    dump,
    read_component,
    validate,
)

REGISTRY = "parts_of_a_test:PARTS"


class SpringSettings(ComponentSettings):
    """Settings of `spring`."""

    stiffness: float = Field(1.0, gt=0)
    """Newtons per metre."""
    turns: Many[int] = (3, 4)
    """Turns of each coil."""


def spring(settings: SpringSettings, mass: float) -> tuple[SpringSettings, float]:
    return settings, mass


class Machine(Settings):
    """A settings class with every kind of field."""

    spring: Annotated[ComponentSettings, component(REGISTRY)]
    """Part."""
    speed: int = Field(10, ge=1)
    """Turns a second."""
    mode: Literal["slow", "fast"] = "slow"
    """Gear."""
    load: float | Literal["auto"] = "auto"
    """Kilograms."""


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("parts_of_a_test")
    module.PARTS = {"spring": "parts_of_a_test:spring"}  # type: ignore[attr-defined]
    module.spring = spring  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "parts_of_a_test", module)


def mistakes(data: object) -> list[str]:
    with pytest.raises(UserError) as caught:
        validate(Machine, data)
    return str(caught.value).splitlines()


def test_all_mistakes_are_reported_together_with_their_paths() -> None:
    found = mistakes(
        {
            "spring": {"name": "spring", "stiffnes": 2.0, "stiffness": -1, "turns": [1, "x"]},
            "speed": 1.5,
            "mode": "fst",
            "load": True,
            "colour": "red",
        }
    )
    assert found == [
        "spring.stiffness: must be greater than 0, got -1",
        "spring.turns.1: must be a whole number, got 'x'",
        "spring.stiffnes: unknown setting; did you mean stiffness? "
        "(settings here: name, stiffness, turns)",
        "speed: must be a whole number, got 1.5",
        "mode: must be one of slow, fast; got 'fst'; did you mean fast?",
        "load: must be a number or be one of auto; got True",
        "colour: unknown setting (settings here: spring, speed, mode, load)",
    ]


def test_a_component_without_a_name_says_which_names_there_are() -> None:
    assert mistakes({"spring": {"stiffness": 1}}) == [
        "spring: needs a name (one of spring; or your own as file.py:Name)"
    ]


def test_settings_without_a_name_are_those_of_the_usual_component() -> None:
    class Unnamed(Settings):
        """A machine with a usual spring."""

        spring: Annotated[ComponentSettings, component(REGISTRY, unnamed="spring")]
        """Part."""

    assert validate(Unnamed, {"spring": {"stiffness": 2.0}}).spring == SpringSettings(
        name="spring", stiffness=2.0
    )
    with pytest.raises(UserError) as caught:
        validate(Unnamed, {"spring": {"stiffness": -2.0}})
    assert str(caught.value) == "spring.stiffness: must be greater than 0, got -2.0"
    schema = Unnamed.model_json_schema()["properties"]["spring"]["anyOf"][1]
    assert "name" not in schema["required"]
    assert "stiffness" in schema["properties"]


def test_an_unknown_component_names_the_nearest() -> None:
    assert mistakes({"spring": "sprang"}) == [
        "spring.name: unknown name 'sprang'; did you mean spring? "
        "(known: spring; or your own as file.py:Name)"
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_a_mistake(value: float) -> None:
    assert mistakes({"spring": {"name": "spring", "stiffness": value}}) == [
        f"spring.stiffness: must be a finite number, got {value}"
    ]


def test_text_is_never_taken_for_a_number() -> None:
    assert mistakes({"spring": "spring", "speed": "3"}) == [
        "speed: must be a whole number, got '3'"
    ]


def test_a_bare_name_is_a_component_with_its_defaults_and_dumps_and_reads_back() -> None:
    machine = validate(Machine, {"spring": "spring"})
    assert dump(machine) == {
        "spring": {"name": "spring", "stiffness": 1.0, "turns": [3, 4]},
        "speed": 10,
        "mode": "slow",
        "load": "auto",
    }
    assert validate(Machine, dump(machine)) == machine


def test_build_hands_over_the_settings_and_the_facts_that_are_named() -> None:
    settings = read_component({"name": "spring", "stiffness": 2}, REGISTRY)
    assert build(settings, REGISTRY, {"mass": 3.0, "unused": 1}) == (settings, 3.0)


def test_build_says_which_fact_is_missing() -> None:
    settings = read_component("spring" and {"name": "spring"}, REGISTRY)
    with pytest.raises(UserError) as caught:
        build(settings, REGISTRY, {"colour": 1})
    assert str(caught.value) == ("spring needs mass, which this data does not have (it has colour)")


def test_a_class_of_ones_own_gets_settings_from_its_signature(tmp_path: Path) -> None:
    file = tmp_path / "my parts 部件.py"
    file.write_text(
        "class Wheel:\n"
        "    def __init__(self, output_size: int, spokes: int = 8, names: list[str] = ()):\n"
        "        self.all = (output_size, spokes, names)\n",
        encoding="utf-8",
    )
    name = f"{file}:Wheel"
    settings = read_component({"name": name, "names": ["a"]}, REGISTRY)
    assert build(settings, REGISTRY, {"output_size": 2}).all == (2, 8, ["a"])
    with pytest.raises(UserError) as caught:
        read_component({"name": name, "spoks": 3}, REGISTRY)
    assert str(caught.value) == (
        "spoks: unknown setting; did you mean spokes? (settings here: name, spokes, names)"
    )


def test_a_file_that_fails_on_import_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("x = 1\ny = x / 0\n")
    with pytest.raises(UserError) as caught:
        read_component({"name": f"{file}:Net"}, REGISTRY)
    assert str(caught.value) == (
        f"name: {file}:2 fails on import: ZeroDivisionError: division by zero"
    )
