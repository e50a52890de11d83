"""The committed pages that a reviewer reads instead of the code: the SDL, the role matrix, the states of an engagement,
and beside the policies what their wildcards reach and what editors know about them."""

from __future__ import annotations

from pathlib import Path

from authz import editor_schema, lock, matrix, states
from authz.check import examine
from resolvers.schema import schema


def stale(root: Path) -> dict[Path, str]:
    """The snapshots whose committed text is not what the code says, with the text they should have."""
    policy, expansion = examine(root / "policies").compiled()
    pages = {
        root / "schema" / "schema.graphql": schema.as_str() + "\n",
        root / "tests" / "snapshots" / "matrix.txt": matrix.text(policy),
        root / "docs" / states.NAME: states.page(policy),
        root / "policies" / lock.NAME: lock.lock_text(expansion),
        root / "policies" / editor_schema.NAME: editor_schema.schema_text(policy),
    }
    return {path: text for path, text in pages.items() if not path.exists() or path.read_text() != text}
