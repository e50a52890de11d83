"""Whatever bytes a policy is made of, the loader answers with a policy or with diagnostics, never otherwise."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.check import PolicyRejected
from authz.decide import Seat, permissions
from authz.diagnostic import CODES
from authz.load import load
from authz.policy import Policy
from tests.bad_policies.small_set import GOOD, write_set

FILES = sorted(GOOD)
MARKS = (
    "~\n~ ~\t~\r~\0~\ufeff~\u2028~- ~: ~? ~{~}~[~]~,~#~&a ~*a~!!int ~<<: ~---\n~...\n~%YAML 1.1\n~'~\"~|\n~>\n~@~`~\\"
)
WORDS = "claims.*~*~safe.open~agent~owner~true~null~-1~1e999~999999999999999999999999"
PIECES = st.sampled_from([b"\xff", *(piece.encode() for piece in f"{MARKS}~{WORDS}".split("~"))])


def outcome(folder: Path) -> Policy | None:
    """The policy, or None when the set is rejected with diagnostics that a person can use."""
    try:
        return load(folder)
    except PolicyRejected as rejected:
        found, printed = rejected.diagnostics, str(rejected)
    assert found
    assert list(found) == sorted(found)
    for diagnostic in found:
        assert diagnostic.code in CODES
        assert min(diagnostic.line, diagnostic.column) >= 1
        assert str(diagnostic) in printed
    return None


def assert_ceilings_hold(policy: Policy) -> None:
    for kind in policy.agents.values():
        seat = Seat("agent", frozenset(policy.roles), agent_kind=kind.key, agreement_in_force=True)
        assert permissions(policy, (seat,)) <= kind.ceiling


# Each run draws others, and `make fuzz` draws thousands.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(FILES), st.integers(0, 700), st.integers(0, 30), PIECES), min_size=1, max_size=3)
)
def test_no_change_of_bytes_crashes_the_loader_or_lifts_a_ceiling(changes: list[tuple[str, int, int, bytes]]) -> None:
    with TemporaryDirectory() as name:
        folder = write_set(Path(name), {})
        for file, at, length, piece in changes:
            content = (folder / file).read_bytes()
            at %= len(content) + 1
            (folder / file).write_bytes(content[:at] + piece + content[at + length :])
        policy = outcome(folder)
        if policy is not None:
            assert_ceilings_hold(policy)


@settings(max_examples=EXAMPLES // 2, deadline=None)
@given(
    st.sampled_from(FILES),
    st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace")),
)
def test_rubbish_in_place_of_a_file_is_diagnosed(file: str, rubbish: bytes) -> None:
    with TemporaryDirectory() as name:
        assert outcome(write_set(Path(name), {file: rubbish})) is None


@pytest.mark.parametrize("file", FILES)
def test_a_set_that_lacks_a_file_loads_only_if_nothing_speaks_of_it(tmp_path: Path, file: str) -> None:
    folder = write_set(tmp_path, {})
    (folder / file).unlink()
    assert (outcome(folder) is not None) == (file in ("hints.yaml", "never.yaml", "tests/outsiders.yaml"))


@pytest.mark.parametrize(
    "nasty", ["{" * 5000, "a: " * 5000, "- " * 5000, "x: [" + "[], " * 20_000 + "]", "a:\n" + " b:\n" * 9000]
)
def test_a_nasty_file_is_answered_soon(tmp_path: Path, nasty: str) -> None:
    assert outcome(write_set(tmp_path, {"hints.yaml": nasty})) is None
