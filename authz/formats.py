"""What `check` found, as text for people, editors and programs. Each format is a function of the outcome alone.

`json` is meant to be read by programs and keeps its keys: `format` names this layout, `ok`, `folder`, `files` (how
many), `policy` (`name`, `version`, `digest`; null when the set is rejected) and `diagnostics`, in the order of their
places, each with `file`, `line`, `column`, `end_column` (counted from 1 in characters; the end is not part of it),
`code`, `title`, `message`, `suggestion` and `source` (the line, or what of a long one surrounds the place).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from authz.check import Examined
from authz.diagnostic import CODES, Diagnostic
from authz.junit import junit
from authz.sarif import sarif

JSON_FORMAT = "sparekey/diagnostics/v1"


def human(found: Examined) -> str:
    """Every problem with its line and a caret, and what it comes to."""
    return "\n\n".join([*map(str, found.diagnostics), _summary(found)]) + "\n"


def _summary(found: Examined) -> str:
    if found.policy is not None:
        policy = found.policy
        holds = f"{len(policy.roles)} roles, {len(policy.permissions)} permissions in {len(found.files)} files"
        return f"{policy.name} {policy.version} {policy.digest}: {holds}, nothing wrong"
    count = len(found.diagnostics)
    return f"{count} {'problem' if count == 1 else 'problems'}"


def gnu(found: Examined) -> str:
    """One line a problem, as compilers write it and editors jump to; nothing when nothing is wrong."""
    lines = [f"{d.file}:{d.line}:{d.column}: error: {told(d)} [{d.code}]\n" for d in found.diagnostics]
    return "".join(lines)


def told(diagnostic: Diagnostic) -> str:
    """The message and the suggestion in one line."""
    return f"{diagnostic.message} ({diagnostic.suggestion})" if diagnostic.suggestion else diagnostic.message


def as_json(found: Examined) -> str:
    policy = found.policy
    page = {
        "format": JSON_FORMAT,
        "ok": policy is not None,
        "folder": found.folder.as_posix(),
        "files": len(found.files),
        "policy": policy and {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "diagnostics": [_json_diagnostic(diagnostic) for diagnostic in found.diagnostics],
    }
    return json.dumps(page, indent=2) + "\n"


def _json_diagnostic(diagnostic: Diagnostic) -> Mapping[str, object]:
    return {
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "end_column": diagnostic.column + diagnostic.width,
        "code": diagnostic.code,
        "title": CODES[diagnostic.code],
        "message": diagnostic.message,
        "suggestion": diagnostic.suggestion or None,
        "source": diagnostic.quote()[0] if diagnostic.source else None,
    }


def github(found: Examined) -> str:
    """Workflow commands: GitHub shows each beside its line in the pull request."""
    return "".join(_workflow_command(diagnostic) for diagnostic in found.diagnostics)


def _workflow_command(diagnostic: Diagnostic) -> str:
    properties = {
        "file": diagnostic.file,
        "line": str(diagnostic.line),
        "endLine": str(diagnostic.line),
        "col": str(diagnostic.column),
        "endColumn": str(diagnostic.column + diagnostic.width),
        "title": f"{diagnostic.code} {CODES[diagnostic.code]}",
    }
    written = ",".join(f"{key}={_escape(value, ':,')}" for key, value in properties.items())
    return f"::error {written}::{_escape(told(diagnostic), '')}\n"


def _escape(text: str, further: str) -> str:
    """As the runner reads it back: a line end would end the command, `:` and `,` a property."""
    return "".join(f"%{ord(c):02X}" if c in "%\r\n" + further else c for c in text)


FORMATS: Mapping[str, Callable[[Examined], str]] = {
    "human": human,
    "gnu": gnu,
    "json": as_json,
    "sarif": sarif,
    "github": github,
    "junit": junit,
}
