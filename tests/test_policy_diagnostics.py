"""Every diagnostic there is, each by a set that is wrong in exactly one way, with its code and its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

import authz.yaml_subset
from authz.check import PolicyRejected
from authz.diagnostic import CODES
from authz.load import load
from tests.bad_policies.small_set import GOOD, Replaced, write_set
from tests.bad_policies.wrong import DESK, HEAD, WRONG


def problems(folder: Path) -> list[tuple[str, str]]:
    """(code, place) of everything that is wrong with the set in this folder."""
    with pytest.raises(PolicyRejected) as rejected:
        load(folder)
    found = rejected.value.diagnostics
    return [(d.code, f"{Path(d.file).relative_to(folder).as_posix()}:{d.line}:{d.column}") for d in found]


@pytest.mark.parametrize(("code", "wrong", "changes", "place"), WRONG, ids=[f"{w[0]}: {w[1]}" for w in WRONG])
def test_one_mistake_gives_one_diagnostic_at_its_cause(
    tmp_path: Path, code: str, wrong: str, changes: dict[str, Replaced], place: str
) -> None:
    assert problems(write_set(tmp_path, changes)) == [(code, place)]


def test_the_set_without_the_mistakes_loads(tmp_path: Path) -> None:
    assert load(write_set(tmp_path, {})).name == "small"


def test_every_code_has_a_set_that_produces_it() -> None:
    by_other_tests = {"P101", "P102", "P108", "P170", "P171", "P172", "P173"}
    assert {code for code, *_ in WRONG} | by_other_tests == set(CODES)


def test_a_misspelt_permission_is_printed_with_its_line_a_caret_and_the_right_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_set(tmp_path, {"roles/biller.yaml": ("claims.*", "claims.read, claims.sumbit")}))
    with pytest.raises(PolicyRejected) as rejected:
        load(Path("."))
    assert str(rejected.value) == (
        "roles/biller.yaml:7:23: P130 unknown permission claims.sumbit\n"
        "    grants: [claims.read, claims.sumbit]\n"
        "                          ^^^^^^^^^^^^^\n"
        "    did you mean claims.submit?\n"
        "\n"
        "1 problem; nothing was activated"
    )


def test_all_mistakes_are_reported_at_once_and_sorted(tmp_path: Path) -> None:
    folder = write_set(
        tmp_path,
        {
            "roles/biller.yaml": ("[owner]", "[owner, desk, desc]"),
            "roles/desk.yaml": ("title:", "titel:"),
            "hints.yaml": ("[claims.submit]", "[claims.submit, claims.vid]"),
            "tests/outsiders.yaml": "nonsense",
        },
    )
    assert problems(folder) == [
        ("P130", "hints.yaml:4:57"),
        ("P131", "roles/biller.yaml:5:27"),
        ("P122", "roles/desk.yaml:3:1"),
        ("P124", "tests/outsiders.yaml:1:1"),
    ]


def test_a_catalogue_that_cannot_be_read_is_one_mistake_and_not_one_for_each_name(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {"permissions/billing.yaml": HEAD + "permissions\npermissions: {"})
    assert problems(folder) == [("P110", "permissions/billing.yaml:3:15")]


def test_a_longer_chain_of_grants_is_reported_where_it_leaves_its_granter(tmp_path: Path) -> None:
    clerk = DESK.replace("[owner]", "[desk]").replace("Desk", "Clerk")
    folder = write_set(tmp_path, {"roles/clerk.yaml": clerk, "roles/biller.yaml": ("[owner]", "[owner, clerk]")})
    with pytest.raises(PolicyRejected) as rejected:
        load(folder)
    (only,) = rejected.value.diagnostics
    assert only.code == "P152"
    assert "by granting clerk → biller; root roles (owner) are outside this claim" in only.message


def test_a_chain_through_a_root_role_is_printed_whole(tmp_path: Path) -> None:
    root = HEAD + "role\ntitle: Root\nheld_by: [staff]\ngranted_by: [desk]\nroot: true\nsensitivity_max: none\n"
    changes: dict[str, Replaced] = {"roles/key.yaml": root, "roles/biller.yaml": ("[owner]", "[owner, key]")}
    with pytest.raises(PolicyRejected, match=r"P152 whoever holds desk .* by granting desk → key → biller;"):
        load(write_set(tmp_path, changes))


def test_a_promise_says_why_it_was_made(tmp_path: Path) -> None:
    with pytest.raises(PolicyRejected, match=r"Two pairs of eyes\."):
        load(write_set(tmp_path, {"roles/biller.yaml": ("claims.*", "claims.*, claims.void")}))


def test_a_file_with_windows_line_ends_means_the_same(tmp_path: Path) -> None:
    plain = load(write_set(tmp_path / "plain", {}))
    crlf = load(write_set(tmp_path / "crlf", {name: text.replace("\n", "\r\n") for name, text in GOOD.items()}))
    assert (plain.digest, plain.source_digest == crlf.source_digest) == (crlf.digest, False)


def test_words_that_other_yaml_readers_convert_stay_text(tmp_path: Path) -> None:
    for text in ("no", "on", "012", "12:30", "2026-01-01", "1e3", "~", "0x1F"):
        assert load(write_set(tmp_path, {"roles/desk.yaml": ("Desk", text)})).roles["desk"].title == text


def test_a_folder_without_a_policy_is_a_diagnostic(tmp_path: Path) -> None:
    assert problems(tmp_path) == [("P101", ".:1:1")]
    assert problems(tmp_path / "nowhere") == [("P101", ".:1:1")]
    folder = write_set(tmp_path, {})
    (folder / "policy.yaml").unlink()
    assert problems(folder) == [("P137", ".:1:1")]


def test_what_cannot_be_opened_is_a_diagnostic_and_hangs_nobody(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {})
    (folder / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.yaml").mkdir()
    (folder / "gone.yaml").symlink_to("nothing")
    assert problems(folder) == [("P102", "gone.yaml:1:1"), ("P102", "loop.yaml:1:1"), ("P102", "pipe.yaml:1:1")]


def test_a_folder_behind_a_symbolic_link_is_not_left_out_silently(tmp_path: Path) -> None:
    folder = write_set(tmp_path, {})
    (folder / "more").symlink_to(folder / "roles", target_is_directory=True)
    assert problems(folder) == [("P108", "more:1:1")]


def test_without_the_parser_in_c_the_answers_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authz.yaml_subset, "LOADER", yaml.BaseLoader)
    assert load(write_set(tmp_path / "good", {})).name == "small"
    for number, (code, _, changes, place) in enumerate(WRONG):
        if code not in ("P103", "P110", "P116"):
            assert problems(write_set(tmp_path / str(number), changes)) == [(code, place)]
