"""The base of all settings: typed, frozen, checked as a whole, each mistake with its path.

A component (a model, an optimizer, a transform, an algorithm) is written in a job file as its
name with its settings beside it, `{name: adam, lr: 0.001}`, or as the bare name. Its settings are
a class in the component's own file; `component(registry)` makes the pydantic field that finds
that class by the name.
"""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from trivium.platform.errors import Mistake, UserError, nearest
from trivium.platform.registry import annotation, find, load_text, settings_type

S = TypeVar("S", bound="Settings")
T = TypeVar("T")

Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A YAML list, kept as a tuple: `channels: Many[int]`."""


class Settings(BaseModel):
    """Frozen settings; an unknown name, a wrong type or a NaN is a mistake, never coerced away."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )


class ComponentSettings(Settings):
    """Settings of something chosen by name; `name` is a registry key or `file.py:Object`."""

    name: str


def validate(kind: type[S], data: Any) -> S:
    """`data` as settings of `kind`.

    Raises:
        UserError: with every mistake in `data`, each with its path.
    """
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UserError(*_mistakes(kind, error, data)) from None


class _Component:
    """Pydantic annotation of a field that holds a component's settings."""

    def __init__(self, registry: str, unnamed: str | None) -> None:
        self.registry, self.unnamed = registry, unnamed

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(_dump),
        )

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return component_json_schema(self.registry, self.unnamed)

    def _validate(self, value: Any) -> ComponentSettings:
        if isinstance(value, ComponentSettings):
            return value
        try:
            return read_component(value, self.registry, self.unnamed)
        except UserError as error:
            raise PydanticCustomError(
                "component", "wrong component", {"mistakes": error.mistakes}
            ) from None


def refusal(*mistakes: Mistake) -> PydanticCustomError:
    """For a validator to raise: these mistakes, each at its own path below the settings."""
    return PydanticCustomError("component", "mistakes", {"mistakes": mistakes})


def component(registry: str, unnamed: str | None = None) -> Any:
    """Make a field a component, as in `Annotated[ComponentSettings, component(REGISTRY)]`.

    A mapping without a name is settings of the component `unnamed`, where there is one.
    """
    return _Component(registry, unnamed)


class _Section:
    """Pydantic annotation of an optional section whose class belongs to another room."""

    def __init__(self, settings: str) -> None:
        self.settings = settings

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(_dump),
        )

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        schema = _hide_references(load_text(self.settings).model_json_schema())
        return {"anyOf": [{"type": "null"}, schema]}

    def _validate(self, value: Any) -> Settings | None:
        if value is None or isinstance(value, Settings):
            return value
        try:
            read: Settings = validate(load_text(self.settings), value)
        except UserError as error:
            raise PydanticCustomError(
                "component", "wrong section", {"mistakes": error.mistakes}
            ) from None
        return read


def section(settings: str) -> Any:
    """Make a field an optional section of the class that `settings` names as `module:Class`.

    The class is imported when a job has the section, so that the floor knows no room.
    """
    return _Section(settings)


def read_component(value: Any, registry: str, unnamed: str | None = None) -> ComponentSettings:
    """The checked settings of the component that `value`, a name or a mapping, names."""
    known = ", ".join(sorted(load_text(registry)))
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, Mapping):
        raise UserError(f"must be a name or a mapping with a name ({known}), got {_show(value)}")
    if "name" not in value and unnamed is not None:
        value = {"name": unnamed} | dict(value)
    if "name" not in value:
        raise UserError(f"needs a name (one of {known}; or your own as file.py:Name)")
    name = value["name"]
    if not isinstance(name, str):
        raise UserError.at("name", f"must be a name ({known}), got {_show(name)}")
    try:
        kind = component_settings_type(name, registry)
    except UserError as error:
        raise error.under("name") from None
    return validate(kind, value)


def component_settings_type(name: str, registry: str) -> type[ComponentSettings]:
    """The settings class of a registered component, or one made from a user's signature."""
    target = find(name, registry)
    kind = settings_type(target)
    if inspect.isclass(kind) and issubclass(kind, ComponentSettings):
        return kind
    return _settings_from_signature(target)


FACTS: frozenset[str] = frozenset(
    {
        "env",
        "input_shape",
        "input_shapes",
        "output_size",
        "vocabulary_size",
        "num_users",
        "num_items",
        "target_mean",
    }
)
"""What the data, not the job file, tells a model: asked for by naming a constructor parameter."""


def build(settings: ComponentSettings, registry: str, facts: Mapping[str, Any]) -> Any:
    """The component itself: its constructor gets its settings and those facts that it names.

    Raises:
        UserError: the constructor needs a fact that is not among `facts`, or refuses one.
    """
    target = find(settings.name, registry)
    parameters = inspect.signature(target).parameters
    arguments: dict[str, Any] = {name: facts[name] for name in parameters if name in facts}
    if "settings" in parameters:
        arguments["settings"] = settings
    else:
        arguments.update({k: v for k, v in settings if k != "name" and k in parameters})
    missing = [
        name
        for name, p in parameters.items()
        if p.default is p.empty
        and name not in arguments
        and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if missing:
        raise UserError(
            f"{settings.name} needs {', '.join(missing)}, which this data does not have "
            f"(it has {', '.join(sorted(facts))})"
        )
    try:
        return target(**arguments)
    except ValueError as error:
        raise UserError(str(error)) from error


def dump(settings: Settings) -> dict[str, Any]:
    """Plain data with every default written out; reading it back gives equal settings."""
    return settings.model_dump(mode="json")


def component_json_schema(registry: str, unnamed: str | None = None) -> dict[str, Any]:
    """JSON Schema of a component field: one choice a registered name, or a user's own object."""
    choices: list[dict[str, Any]] = []
    names = sorted(load_text(registry))
    for name in names:
        schema = _hide_references(component_settings_type(name, registry).model_json_schema())
        schema["properties"]["name"] = {"const": name}
        if name == unnamed:
            schema["required"] = [r for r in schema.get("required", ()) if r != "name"]
        choices.append(schema)
    own = {"type": "object", "properties": {"name": {"type": "string", "pattern": ":"}}}
    return {"anyOf": [{"enum": names}, *choices, own | {"required": ["name"]}]}


HIDDEN_REFERENCE = "$component-ref"


def _hide_references(schema: Any) -> Any:
    """`$ref` under another name: pydantic would look its target up among its own definitions.

    `trivium.platform.schema` moves the definitions to where they belong and gives the name back.
    """
    if isinstance(schema, dict):
        return {
            HIDDEN_REFERENCE if k == "$ref" else k: _hide_references(v) for k, v in schema.items()
        }
    return [_hide_references(v) for v in schema] if isinstance(schema, list) else schema


def _dump(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value


def _settings_from_signature(target: Callable[..., Any]) -> type[ComponentSettings]:
    """Settings for a user's own class: its constructor's parameters that are not facts."""
    fields: dict[str, Any] = {}
    for name, p in inspect.signature(target).parameters.items():
        if name in FACTS or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            continue
        default = ... if p.default is p.empty else p.default
        fields[name] = (annotation(target, p), default)
    # A user's annotations are their own (list, Path, a dataclass): checked, but not strictly.
    config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    made: type[ComponentSettings] = create_model(
        f"{target.__name__}Settings", __base__=ComponentSettings, **fields
    )
    made.model_config.update(config | ConfigDict(strict=False))
    made.model_rebuild(force=True)
    return made


def _mistakes(kind: type[Settings], error: ValidationError, data: Any) -> list[Mistake]:
    found: dict[str, Mistake] = {}
    for item in error.errors(include_url=False):
        loc = _without_union_tags(item["loc"], data)
        path = ".".join(map(str, loc))
        if item["type"] == "component":
            for mistake in UserError(*item["ctx"]["mistakes"]).under(path).mistakes:
                found[f"{mistake.path} {mistake.message}"] = mistake
        elif item["type"] == "extra_forbidden":
            found[path] = _unknown(kind, path, loc)
        elif path in found:  # the other members of a union say what they would take
            message = found[path].message.partition(", got ")[0]
            found[path] = Mistake(
                path, f"{message}, or {_message(item)}".replace(", or must", " or")
            )
        else:
            found[path] = Mistake(path, _message(item), key=item["type"] == "missing")
    return list(found.values())


def _without_union_tags(loc: tuple[int | str, ...], data: Any) -> tuple[int | str, ...]:
    """The path through `data`; pydantic puts the tried member of a union at the end of it."""
    kept: list[int | str] = []
    for part in loc:
        if isinstance(data, Mapping) and part in data:
            data = data[part]
        elif isinstance(data, Sequence) and isinstance(part, int) and not isinstance(data, str):
            data = data[part] if part < len(data) else None
        elif not isinstance(data, Mapping):
            break
        kept.append(part)
    return tuple(kept)


def _unknown(kind: type[Settings], path: str, loc: tuple[int | str, ...]) -> Mistake:
    known = list(_settings_at(kind, loc[:-1]).model_fields)
    message = f"unknown setting{nearest(str(loc[-1]), known)}"
    return Mistake(path, f"{message} (settings here: {', '.join(known)})", key=True)


def _settings_at(kind: type[Settings], loc: Iterable[int | str]) -> type[Settings]:
    """The settings class that the value at `loc` is read by."""
    for part in loc:
        if part not in kind.model_fields:
            continue  # an index of a list, or the tag of a union
        candidates = [kind.model_fields[str(part)].annotation]
        while candidates:
            candidate = candidates.pop()
            if inspect.isclass(candidate) and issubclass(candidate, Settings):
                kind = candidate
                break
            candidates.extend(typing.get_args(candidate))
    return kind


_SHOULD_BE = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping of settings",
    "model_attributes_type": "must be a mapping of settings",
    "finite_number": "must be a finite number",
}
_BOUND = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def _message(item: Any) -> str:
    kind, value, context = item["type"], item["input"], item.get("ctx", {})
    if kind == "missing":
        return "is required"
    if kind == "literal_error":
        expected = context["expected"].replace("'", "").replace(" or ", ", ")
        hint = nearest(str(value), expected.split(", "))
        return f"must be one of {expected}; got {_show(value)}{hint}"
    if kind in _BOUND:
        words, key = _BOUND[kind]
        return f"must be {words} {context[key]:g}, got {_show(value)}"
    if kind in ("value_error", "assertion_error"):
        return str(context["error"])
    if kind in _SHOULD_BE:
        return f"{_SHOULD_BE[kind]}, got {_show(value)}"
    message = str(item["msg"])
    return f"{message[:1].lower()}{message[1:]}, got {_show(value)}"


def _show(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
