"""JUnit XML: one test case for each file of the set, failed with everything that is wrong with it."""

from __future__ import annotations

import re
from itertools import groupby
from xml.sax.saxutils import quoteattr

from authz.check import Examined
from authz.diagnostic import Diagnostic

# What XML 1.0 cannot hold even when it is escaped.
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(found: Examined) -> str:
    """Problems of the folder itself, or of the lock, are cases of their own."""
    by_file = {name: list(group) for name, group in groupby(found.diagnostics, lambda diagnostic: diagnostic.file)}
    names = sorted({*found.files, *by_file})
    counts = f'tests="{len(names)}" failures="{len(by_file)}" errors="0"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f'<testsuites name="sparekey policy check" {counts}>']
    lines.append(f'  <testsuite name={_attribute(found.folder.as_posix())} {counts} skipped="0">')
    for name in names:
        lines += _case(name, by_file.get(name, []))
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _case(name: str, diagnostics: list[Diagnostic]) -> list[str]:
    opened = f'    <testcase classname="policy" name={_attribute(name)} file={_attribute(name)}'
    if not diagnostics:
        return [opened + "/>"]
    codes = " ".join(sorted({diagnostic.code for diagnostic in diagnostics}))
    first = diagnostics[0].message
    further = f" and {len(diagnostics) - 1} more" if len(diagnostics) > 1 else ""
    text = "\n\n".join(map(str, diagnostics))
    failure = f'      <failure type="{codes}" message={_attribute(first + further)}>{_text(text)}</failure>'
    return [opened + ">", failure, "    </testcase>"]


def _attribute(text: str) -> str:
    return quoteattr(NOT_XML.sub("?", text), {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _text(text: str) -> str:
    return NOT_XML.sub("?", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
