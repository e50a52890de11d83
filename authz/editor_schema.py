"""JSON Schema (draft-07) for editors: completions, hover texts and red lines while a policy is typed.

It says what the shape of each kind of file is, with the names that the set itself declares. It is a convenience and
decides nothing: `check` does, and knows what no schema can say. `policy.schema.json` lies beside the set, is written
by `sparekey policy schema` (and with the snapshots), and each file points to it in its first line:

    # yaml-language-server: $schema=../policy.schema.json

Editors read YAML 1.2, in which `version: 1` is a number; the loader keeps it as text. So a text may be either here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from authz.documents import FORMAT, KINDS
from authz.editor_kinds import kinds
from authz.editor_parts import TEXT, Schema
from authz.expand import wildcard_reaches
from authz.policy import Policy

NAME = "policy.schema.json"
SCHEMA = "http://json-schema.org/draft-07/schema#"


def modeline(depth: int) -> str:
    """The first line of a file so many folders below the set's root."""
    return f"# yaml-language-server: $schema={'../' * depth}{NAME}"


def schema_text(policy: Policy) -> str:
    return json.dumps(schema(policy), indent=1, ensure_ascii=False) + "\n"


def schema(policy: Policy) -> Schema:
    """One schema for all files: `kind` decides which part holds."""
    return {
        "$schema": SCHEMA,
        "title": f"{policy.name}: a file of the policy",
        "type": "object",
        "required": ["format", "kind"],
        "properties": {
            "format": {"const": FORMAT, "description": "The layout of the file."},
            "kind": {"enum": list(KINDS), "description": "What the file is about; it decides which keys there are."},
        },
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/definitions/kind_{kind}"},
            }
            for kind in KINDS
        ],
        "definitions": {
            "text": TEXT,
            **_names(policy),
            **{f"kind_{kind}": found for kind, found in kinds(policy).items()},
        },
    }


def _names(policy: Policy) -> Schema:
    """What the set declares, as completions with their titles."""
    permissions = {key: found.title for key, found in sorted(policy.permissions.items())}
    roles = {key: role.title for key, role in sorted(policy.roles.items())}
    for_agents = {key: title for key, title in roles.items() if "agent" in policy.roles[key].held_by}
    return {
        "permission": _enum(permissions, "A permission of this set."),
        "grant": _enum(permissions | dict(_wildcards(policy)), "A permission, or a wildcard over an area."),
        "role": _enum(roles, "A role of this set."),
        "agent_role": _enum(for_agents, "A role of this set that agents can hold."),
        "agent_kind": _enum({key: kind.title for key, kind in sorted(policy.agents.items())}, "A kind of agent."),
        "separation": _enum({rule.id: rule.because for rule in policy.separations}, "A separation of this set."),
        "sensitivity": {"enum": list(policy.sensitivities), "description": "From least to most, as policy.yaml says."},
    }


def _enum(titles: Mapping[str, str], description: str) -> Schema:
    """`enumDescriptions` is what editors show beside a completion; validators pass it over."""
    return {"enum": list(titles), "enumDescriptions": list(titles.values()), "description": description}


def _wildcards(policy: Policy) -> Iterable[tuple[str, str]]:
    reached: dict[str, list[str]] = {}
    for key, permission in sorted(policy.permissions.items()):
        for prefix in _prefixes(key.split(".")) if wildcard_reaches(permission) else ():
            reached.setdefault(f"{prefix}.*", []).append(key)
    return ((wildcard, ", ".join(keys)) for wildcard, keys in sorted(reached.items()))


def _prefixes(words: Sequence[str]) -> Iterable[str]:
    return (".".join(words[:count]) for count in range(1, len(words)))
