"""JSON Schema of job files, from the same settings classes that read them."""

from collections.abc import Iterator
from typing import Any

from trivium.platform.errors import UserError
from trivium.platform.job import ALGORITHMS, algorithm_class
from trivium.platform.registry import load_text
from trivium.platform.settings import HIDDEN_REFERENCE


def job_schema() -> dict[str, Any]:
    """One schema for all job files: a choice of the algorithms that are installed here."""
    definitions: dict[str, Any] = {}
    choices = []
    for name, job_type in _job_types():
        schema = _hoist(job_type.model_json_schema(), definitions)
        schema["title"] = name
        schema["required"] = [r for r in schema.get("required", []) if r != "name"]
        schema["properties"]["algorithm"] = _named(schema["properties"]["algorithm"], name)
        choices.append(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trivium job",
        "type": "object",
        "anyOf": choices,
        "$defs": definitions,
    }


def _job_types() -> Iterator[tuple[str, Any]]:
    for name in sorted(load_text(ALGORITHMS)):
        if name.endswith("/*"):
            continue  # a family of other people's algorithms has no schema of its own
        try:
            yield name, algorithm_class(name).job_type
        except (UserError, ImportError):  # its extra is not installed
            continue


def _named(section: dict[str, Any], name: str) -> dict[str, Any]:
    """An algorithm's section, also allowed as the bare name."""
    return {"anyOf": [{"const": name}, section]}


def _hoist(schema: Any, definitions: dict[str, Any]) -> Any:
    """`schema` with every nested $defs moved to `definitions`, where references look."""
    if isinstance(schema, dict):
        for key, value in schema.pop("$defs", {}).items():
            definitions[key] = _hoist(value, definitions)
        return {
            "$ref" if k == HIDDEN_REFERENCE else k: _hoist(v, definitions)
            for k, v in schema.items()
        }
    if isinstance(schema, list):
        return [_hoist(item, definitions) for item in schema]
    return schema
