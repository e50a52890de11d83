"""The words in which `editor_kinds.py` describes a file: a few builders of JSON Schema, draft-07."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from authz.shape import KEY

Schema = Mapping[str, Any]

# One line with something in it. Editors read YAML 1.2, in which `version: 1` is a number and the loader's text.
INVISIBLE = r"\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
TEXT: Schema = {
    "type": ["string", "number", "boolean"],
    "pattern": rf"^[^{INVISIBLE}]*[^{INVISIBLE}\s][^{INVISIBLE}]*$",
}
NEW_KEY: Schema = {"type": "string", "pattern": f"^(?:{KEY.pattern})$"}
VALUE: Schema = {"type": ["string", "number", "boolean"]}


def ref(name: str, description: str = "") -> Schema:
    """Draft-07 passes over what stands beside `$ref`, so a description needs a level of its own."""
    found: Schema = {"$ref": f"#/definitions/{name}"}
    return {"allOf": [found], "description": description} if description else found


def text(description: str) -> Schema:
    return ref("text", description)


def whole(low: int, high: int, description: str) -> Schema:
    return {"type": "integer", "minimum": low, "maximum": high, "description": f"{description} ({low} to {high})"}


def flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def choice(options: Iterable[str], description: str) -> Schema:
    return {"enum": list(options), "description": description}


def listed(items: Schema, description: str, least: int = 0) -> Schema:
    """A list without doubles."""
    found: Schema = {"type": "array", "items": items, "uniqueItems": True, "description": description}
    return {**found, "minItems": least} if least else found


def record(required: str, properties: Schema, description: str = "") -> Schema:
    """A map with these keys and no other; `required` names those that must be there, with spaces between."""
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    needed: Schema = {"required": required.split()} if required else {}
    return {**found, **needed, **({"description": description} if description else {})}


def entries(pattern: str, value: Schema, description: str) -> Schema:
    """A map whose keys are names that are declared here."""
    names = {"pattern": f"^(?:{pattern})$"}
    return {"type": "object", "propertyNames": names, "additionalProperties": value, "description": description}


def file(required: str, **properties: Schema) -> Schema:
    """What a kind of file holds beside `format` and `kind`, which hold for all of them."""
    return record(required, {"format": {}, "kind": {}, **properties})
