"""SARIF 2.1.0, the format in which code scanners hand their findings to forges and editors.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; the numbers in comments are its sections.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import PurePosixPath
from urllib.parse import quote

from authz.check import Examined
from authz.codes import explanation
from authz.diagnostic import CODES, Diagnostic

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(found: Examined) -> str:
    """One run; its rules are the codes that occur, with their long texts."""
    codes = sorted({diagnostic.code for diagnostic in found.diagnostics})
    driver = {"name": "sparekey policy check", "rules": [_rule(code) for code in codes]}
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",  # 3.14.17: what a column counts
        "results": [_result(diagnostic, codes.index(diagnostic.code)) for diagnostic in found.diagnostics],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(code: str) -> Mapping[str, object]:
    long = explanation(code)
    return {
        "id": code,
        "shortDescription": {"text": CODES[code]},
        "fullDescription": {"text": long.means},
        "help": {"text": long.text(), "markdown": long.markdown},
        "defaultConfiguration": {"level": "error"},
    }


def _result(diagnostic: Diagnostic, rule: int) -> Mapping[str, object]:
    text = f"{diagnostic.message}: {diagnostic.suggestion}" if diagnostic.suggestion else diagnostic.message
    region: dict[str, object] = {"startLine": diagnostic.line, "startColumn": diagnostic.column}
    region["endColumn"] = diagnostic.column + diagnostic.width
    if diagnostic.source:
        region["snippet"] = {"text": diagnostic.source[diagnostic.column - 1 :][: diagnostic.width]}
    place = {"artifactLocation": {"uri": _uri(diagnostic.file)}, "region": region}
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": "error",
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
        "partialFingerprints": {"place/v1": _fingerprint(diagnostic)},
    }


def _uri(file: str) -> str:
    """3.4.3: a valid URI reference, relative to wherever the command ran unless the path is absolute."""
    path = quote(PurePosixPath(file).as_posix())
    return f"file://{path}" if file.startswith("/") else path


def _fingerprint(diagnostic: Diagnostic) -> str:
    """3.27.17: the same finding when lines move above it, so the number of the line is no part of it."""
    parts = "\0".join((diagnostic.code, diagnostic.file, diagnostic.message, diagnostic.source.strip()))
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:32]
