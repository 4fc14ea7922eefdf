"""Writing a model card: the little of TOML that plain nested data needs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence


def card_text(card: Mapping[str, object]) -> str:
    """TOML text of `card`: scalars, lists of scalars, tables and lists of tables.

    Tables inside a list of tables are written inline.
    """
    lines = [f"{key} = {_value(value)}" for key, value in card.items() if not _is_table(value)]
    for key, value in card.items():
        if isinstance(value, Mapping):
            lines += _table(key, value)
        elif _is_table(value):
            for entry in value:  # type: ignore[attr-defined]
                lines += ["", f"[[{key}]]"]
                lines += [f"{name} = {_value(item)}" for name, item in entry.items()]
    return "\n".join(lines) + "\n"


def _table(name: str, table: Mapping[str, object]) -> list[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = ["", f"[{name}]"]
    lines += [f"{key} = {_value(value)}" for key, value in table.items() if key not in inner]
    for key, value in inner.items():
        lines += _table(f"{name}.{key}", value)
    return lines


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)
    )


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)  # TOML's basic strings are JSON's
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Sequence):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    raise TypeError(f"a card holds no {type(value).__name__}")
