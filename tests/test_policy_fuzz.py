"""Whatever bytes a policy is made of, the loader answers with a policy or with diagnostics, never otherwise."""

from __future__ import annotations

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
PIECES = st.sampled_from(
    [
        b"",
        b"\n",
        b" ",
        b"\t",
        b"\r",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"- ",
        b": ",
        b"? ",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"#",
    ]
    + [
        b"&a ",
        b"*a",
        b"!!int ",
        b"<<: ",
        b"---\n",
        b"...\n",
        b"%YAML 1.1\n",
        b"'",
        b'"',
        b"|\n",
        b">\n",
        b"@",
        b"`",
        b"\\",
    ]
    + [
        b"claims.*",
        b"*",
        b"safe.open",
        b"agent",
        b"owner",
        b"true",
        b"null",
        b"-1",
        b"1e999",
        b"9" * 30,
        "\u2028".encode(),
    ]
)


def outcome(folder: Path) -> Policy | None:
    """The policy, or None when the set is rejected with diagnostics that a person can use."""
    try:
        return load(folder)
    except PolicyRejected as rejected:
        assert rejected.diagnostics
        assert list(rejected.diagnostics) == sorted(rejected.diagnostics)
        for found in rejected.diagnostics:
            assert found.code in CODES
            assert found.line >= 1
            assert found.column >= 1
        assert str(rejected)
        return None


def assert_ceilings_hold(policy: Policy) -> None:
    for kind in policy.agents.values():
        seat = Seat("agent", frozenset(policy.roles), agent_kind=kind.key, agreement_in_force=True)
        assert permissions(policy, (seat,)) <= kind.ceiling


@settings(max_examples=400, deadline=None)
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


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(FILES),
    st.binary(max_size=400) | st.text(max_size=400).map(lambda text: text.encode("utf-8", "replace")),
)
def test_rubbish_in_place_of_a_file_is_diagnosed(file: str, rubbish: bytes) -> None:
    with TemporaryDirectory() as name:
        assert outcome(write_set(Path(name), {file: rubbish})) is None or file in ("hints.yaml", "tests/outsiders.yaml")


@pytest.mark.parametrize("file", FILES)
def test_a_set_that_lacks_a_file_is_a_smaller_set_or_diagnosed(tmp_path: Path, file: str) -> None:
    folder = write_set(tmp_path, {})
    (folder / file).unlink()
    policy = outcome(folder)
    assert (policy is not None) == (file in ("agents.yaml", "hints.yaml", "never.yaml", "tests/outsiders.yaml")) or file


@pytest.mark.parametrize(
    "nasty", ["{" * 5000, "a: " * 5000, "- " * 5000, "x: [" + "[], " * 20_000 + "]", "a:\n" + " b:\n" * 9000]
)
def test_a_nasty_file_is_answered_soon(tmp_path: Path, nasty: str) -> None:
    assert outcome(write_set(tmp_path, {"hints.yaml": nasty})) is None
