"""Reads the TOML files a person writes, and says exactly what is wrong with one."""

from __future__ import annotations

import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hil.contracts import DeviceSpec
from hil.errors import BadInput

_UNITS = {
    "ns": "nanoseconds",
    "us": "microseconds",
    "ms": "milliseconds",
    "s": "seconds",
    "hz": "hertz",
    "khz": "kilohertz",
    "rad": "radians",
    "deg": "degrees",
    "m": "metres",
    "mm": "millimetres",
    "n": "newtons",
}

Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path) -> dict[str, Any]:
    """Plain data of a TOML file. Errors: BadInput naming file, line and column."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{path}: not valid TOML: {error}") from error


def load_toml(path: Path, model: type[Model]) -> Model:
    """Read and validate a TOML file. Errors: BadInput listing every fault by its keys."""
    return validate(read_toml(path), model, str(path))


def validate(
    data: Any,
    model: type[Model],
    place: str,
    prefix: str = "",
    context: Mapping[str, object] | None = None,
) -> Model:
    """Validate plain data against a schema.

    `place` names the file in the error, `prefix` the table the data stand in, `context` is for
    validators that ask for it. Errors: BadInput listing every fault with the path of its keys
    and what was expected.
    """
    try:
        return model.model_validate(data, context=context)
    except ValidationError as error:
        faults = [_describe(dict(fault), model, prefix) for fault in error.errors()]
        listed = "\n".join(f"  {fault}" for fault in faults)
        plural = "fault" if len(faults) == 1 else "faults"
        raise BadInput(f"{place}: {len(faults)} {plural}\n{listed}") from error


def device_parameters(spec: DeviceSpec, model: type[Model]) -> Model:
    """The `parameters` table of a device under its driver's schema. Errors: BadInput."""
    place = f"device {spec.role!r} (driver {spec.driver})"
    return validate(dict(spec.parameters), model, place, "parameters")


def _describe(fault: dict[str, Any], model: type[BaseModel], prefix: str) -> str:
    location = [part for part in fault["loc"] if not _is_tag(part, model)]
    where = ".".join([*([prefix] if prefix else []), *map(str, location)]) or "(whole file)"
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key{_suggest(str(location[-1]), _siblings(model, fault['loc']))}"
    if fault["type"] == "missing":
        return f"{where}: missing"
    message = fault["msg"].removeprefix("Value error, ")
    shown = repr(fault["input"])
    given = "" if isinstance(fault["input"], dict | list) or len(shown) > 60 else f", got {shown}"
    unit = _unit(str(location[-1])) if location else ""
    return f"{where}: {message}{given}{f' (in {unit})' if unit and given else ''}"


def _is_tag(part: Any, model: type[BaseModel]) -> bool:
    """Discriminator values appear in pydantic's location though no key of that name exists."""
    return isinstance(part, str) and part in _tags(model)


def _tags(model: type[BaseModel]) -> set[str]:
    found: set[str] = set()
    for field in model.model_fields.values():
        for nested in _models_in(field.annotation):
            kind = nested.model_fields.get("kind")
            if kind is not None and isinstance(kind.default, str):
                found.add(kind.default)
            found |= _tags(nested)
    return found


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if isinstance(annotation, types.GenericAlias) or typing.get_origin(annotation) is not None:
        return [m for argument in typing.get_args(annotation) for m in _models_in(argument)]
    return []


def _siblings(model: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """Keys that are known where the unknown one stands."""
    tables: list[type[BaseModel]] = [model]
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        tagged = [t for t in tables if _kind(t) == part]
        if tagged:
            tables = tagged
            continue
        tables = [
            nested
            for table in tables
            for name, field in table.model_fields.items()
            if part in (name, field.alias)
            for nested in _models_in(field.annotation)
        ] or tables
    return [field.alias or name for table in tables for name, field in table.model_fields.items()]


def _kind(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("kind")
    return field.default if field is not None and isinstance(field.default, str) else None


def _suggest(key: str, known: list[str]) -> str:
    for candidate in known:
        if candidate != key and _stem(candidate) == _stem(key) and _unit(candidate):
            return f"; this value is expected in {_unit(candidate)}, as {candidate!r}"
    close = difflib.get_close_matches(key, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (known here: {', '.join(sorted(set(known))) or 'none'})"


def _unit(key: str) -> str:
    return _UNITS.get(key.rsplit("_", 1)[-1], "") if "_" in key else ""


def _stem(key: str) -> str:
    return key.rsplit("_", 1)[0] if _unit(key) else key
