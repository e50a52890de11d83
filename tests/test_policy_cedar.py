"""An independent judge: what we allow, Cedar allows, and what we deny, Cedar denies.

The compiled set is exported and `cedarpy` asked the same questions. And what outsiders may ever have is worked out a
second time from nothing but the bytes of the files, by another YAML reader, however those bytes were changed.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cedarpy
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.cedar import NotExportable, cedar_actions, cedar_context, cedar_policies, cedar_seat
from authz.check import PolicyRejected
from authz.decide import Reason, Seat, allowed, decide, permissions
from authz.load import load
from authz.policy import HELD_BY, Policy, SignIn
from tests.bad_policies.small_set import GOOD, write_set
from tests.test_policy_mutate import RICH

SHIPPED = Path(__file__).parents[1] / "policies"
Question = tuple[Seat, str, Mapping[str, object]]
VALUES: dict[str, Sequence[object]] = {
    "action.amount": [-1, 0, 4, 5, 5.5, 9, 9.0001, 499.9999, 500, 500.01, 501, "500", True],
    "action.day": ["monday", "it's friday", "", "*", 1, True],
    "action.hour": [0, 1, 2, 2.5, 3, "1", False],
    "action.alone": [True, False, "false", 0],
}


@cache
def shipped() -> Policy:
    return load(SHIPPED)


def questions(policy: Policy, number: int, seed: int) -> Iterator[Question]:
    """Seats of every sort, mostly of the sort that could be allowed, so that both answers are common."""
    pick = random.Random(seed)
    kinds, keys = [*sorted(policy.agents), "lost"], [*sorted(policy.permissions), "claims.sumbit"]
    for _ in range(number):
        held_by = pick.choice(HELD_BY)
        fit = [key for key, role in sorted(policy.roles.items()) if held_by in role.held_by]
        some = [*(fit if pick.random() < 0.8 else sorted(policy.roles)), "gone"]
        roles = pick.sample(some, min(len(some), pick.randint(0, 2)))
        narrow = pick.random()
        seat = Seat(
            held_by,
            frozenset(roles),
            active=pick.random() < 0.9,
            agent_kind=pick.choice(kinds) if held_by == "agent" or pick.random() < 0.1 else None,
            agreement_in_force=pick.random() < 0.7,
            assigned=pick.random() < 0.9,
            cap=frozenset(pick.sample([*roles, "biller"], 1)) if narrow < 0.2 else None,
            scopes=frozenset(pick.sample(keys, len(keys) // 2)) if narrow > 0.8 else None,
            proven=pick.random() < 0.8,
        )
        held = sorted(frozenset().union(*(policy.roles[role].permissions for role in roles if role in policy.roles)))
        permission = pick.choice(held) if held and pick.random() < 0.7 else pick.choice(keys)
        guarded = sorted({key for role in roles if role in policy.roles for key in policy.roles[role].guards})
        permission = pick.choice(guarded) if guarded and pick.random() < 0.3 else permission
        asked = policy.permissions.get(permission)
        names = asked.properties if asked else ()
        yield seat, permission, {name: pick.choice(VALUES[name]) for name in names if pick.random() < 0.9}


def cedar_says(policy: Policy, asked: Sequence[Question]) -> list[bool]:
    seats = [cedar_seat(str(number), seat) for number, (seat, _, _) in enumerate(asked)]
    requests = [
        {
            "principal": {"type": "Seat", "id": str(number)},
            "action": {"type": "Action", "id": permission},
            "resource": {"type": "Place", "id": "here"},
            "context": cedar_context(properties),
        }
        for number, (_, permission, properties) in enumerate(asked)
    ]
    answers = cedarpy.is_authorized_batch(requests, cedar_policies(policy), [*cedar_actions(policy), *seats])
    assert not any(answer.decision == cedarpy.Decision.NoDecision for answer in answers)
    return [bool(answer.allowed) for answer in answers]


@pytest.mark.parametrize("seed", range(3))
def test_cedar_decides_the_shipped_set_as_we_do(seed: int) -> None:
    """With sensitive roles that need a second factor, so that this is compared, too."""
    policy = replace(shipped(), sign_in=SignIn("sensitive_roles"))
    asked = list(questions(policy, 4000, seed))
    assert_same(policy, asked, cedar_says(policy, asked))


def test_cedar_decides_guards_of_every_kind_as_we_do(tmp_path: Path) -> None:
    policy = load(write_set(tmp_path, RICH))
    asked = list(questions(policy, 4000, 0))
    assert_same(policy, asked, cedar_says(policy, asked))


def assert_same(policy: Policy, asked: Sequence[Question], cedar: Sequence[bool]) -> None:
    """Question by question, and every reason there is was among them."""
    reasons = set()
    for (seat, permission, properties), answer in zip(asked, cedar, strict=True):
        assert allowed(policy, (replace(seat),), permission, properties) == answer  # nobody asked this seat before
        decision = decide(policy, (seat,), permission, properties)
        assert decision.allowed == answer, (seat, permission, properties, decision.reason)
        assert allowed(policy, (seat,), permission, properties) == answer
        reasons.add(decision.reason)
    never = set() if any(map(policy.needs_second_factor, policy.roles.values())) else {Reason.SECOND_FACTOR_MISSING}
    assert reasons == set(Reason) - {Reason.NO_ENGAGEMENT} - never


def test_a_judge_that_is_told_something_else_notices(tmp_path: Path) -> None:
    """The comparison is worth something only if a difference shows."""
    asked = [
        (
            Seat("agent", frozenset({role}), agent_kind=kind, agreement_in_force=agreement),
            permission,
            {"action.amount": 500},
        )
        for kind in shipped().agents
        for role in ("biller", "manager")
        for permission in shipped().permissions
        for agreement in (True, False)
    ]
    for file, old, new in (
        ("roles/biller.yaml", "claims.*", "claims.read"),
        ("agents.yaml", "agreement: recommended", "agreement: required"),
        ("never.yaml", "      - agents.connect\n", ""),
        ("roles/manager.yaml", "lte: 500}", "lte: 499}"),
    ):
        other = changed(tmp_path / file.replace("/", "_"), file, old, new)
        assert cedar_says(other, asked) != cedar_says(shipped(), asked), file


def test_what_a_seat_was_told_under_one_policy_it_is_not_told_under_another(tmp_path: Path) -> None:
    less = changed(tmp_path, "roles/biller.yaml", "claims.*", "claims.read")
    seat = Seat("agent", frozenset({"biller"}), agent_kind="billing_company", agreement_in_force=True)
    for policy, answer in ((shipped(), True), (less, False), (shipped(), True)):
        assert allowed(policy, (seat,), "claims.submit") is answer
        assert decide(policy, (seat,), "claims.submit").allowed is answer
        assert ("claims.submit" in permissions(policy, (seat,))) is answer


def changed(folder: Path, name: str, old: str, new: str) -> Policy:
    untested(folder)
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    return load(folder)


def untested(folder: Path) -> Path:
    """The shipped set without its tests and hints, which would notice nearly every change of it."""
    for path in SHIPPED.rglob("*.yaml"):
        if path.parent.name != "tests" and path.name != "hints.yaml":
            copy = folder / path.relative_to(SHIPPED)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(path.read_text().partition("\ntests:\n")[0] + "\n")
    return folder


def test_a_number_that_cedar_cannot_hold_is_refused_and_not_rounded(tmp_path: Path) -> None:
    porter = str(RICH["roles/porter.yaml"])
    policy = load(write_set(tmp_path, {**RICH, "roles/porter.yaml": porter.replace("gte: 5", "gte: 5.00001")}))
    with pytest.raises(NotExportable):
        cedar_policies(policy)


# ---- the ceilings, a second time -----------------------------------------------------------------------------------


def ceilings_in(folder: Path) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    """Agent kind → (what it may ever have, the roles it may be given), from the bytes that are there.

    A permission is within the ceiling of a kind when no promise about agents in any file names it and its
    sensitivity stands no later than the kind's `sensitivity_max` in the order of `policy.yaml`.
    """
    found: dict[str, list[Any]] = {}
    for path in folder.rglob("*.yaml"):
        document = yaml.load(path.read_bytes(), yaml.BaseLoader)
        found.setdefault(document["kind"], []).append(document)
    order = found["policy"][0]["sensitivities"]
    ranks = {
        key: order.index(permission["sensitivity"])
        for document in found["permissions"]
        for key, permission in document["permissions"].items()
    }
    promises = [promise for document in found.get("promises", []) for promise in document.get("never", [])]
    never = {key for promise in promises if promise["held_by"] == "agent" for key in promise["permissions"]}
    return {
        name: (
            frozenset(key for key, rank in ranks.items() if rank <= order.index(kind["sensitivity_max"])) - never,
            frozenset(kind["roles"]),
        )
        for document in found["agents"]
        for name, kind in document["agents"].items()
    }


def assert_no_outsider_exceeds(folder: Path, policy: Policy) -> None:
    """No set of roles, with any properties, gives an agent more than the bytes of its ceiling say."""
    ceilings = ceilings_in(folder)
    assert ceilings.keys() == policy.agents.keys()
    for kind, (ceiling, roles) in ceilings.items():
        everything = Seat("agent", frozenset(policy.roles), agent_kind=kind, agreement_in_force=True)
        assert permissions(policy, (everything,)) <= ceiling
        for permission in policy.permissions:
            reason = decide(policy, (everything,), permission).reason
            assert permission in ceiling or reason not in (Reason.ALLOWED, Reason.GUARD)
        others = Seat("agent", frozenset(policy.roles) - roles, agent_kind=kind, agreement_in_force=True)
        assert permissions(policy, (others,)) == frozenset()


NASTY = [b"", b" ", b"\n", b"#", b"- ", b"[", b"]", b"{", b"}", b", ", b": ", b"'", b"*", b"&a ", b"\xff", b"agents.*"]
WORD = re.compile(rb"[a-z_]+(?:\.[a-z_*]+)*")
ITEM = re.compile(rb"(?<=\[)[a-z_.*]+, |, [a-z_.*]+(?=[,\]])")
# What happens to a file: a word becomes another of its sort, an item or a line is lost, or bytes are replaced.
NUMBERS = st.integers(0, 5000)
CHANGE = st.tuples(st.sampled_from(["word", "word", "lose item", "lose line", "bytes"]), NUMBERS, NUMBERS)
UNJUDGED = ("tests/outsiders.yaml", "hints.yaml")  # they would stop most sets that could be too generous
FILES = sorted(GOOD.keys() - set(UNJUDGED))
DECIDING = ["agents.yaml", "never.yaml", "policy.yaml", "permissions/clinical.yaml", "permissions/agents.yaml"]
HOLDING = ["roles/manager.yaml", "roles/biller.yaml", "roles/auditor.yaml", "roles/scheduler.yaml"]
Change = tuple[str, tuple[str, int, int]]


def changed_bytes(folder: Path, changes: Sequence[Change]) -> None:
    words = sorted({word for path in sorted(folder.rglob("*.yaml")) for word in WORD.findall(path.read_bytes())})
    for file, (what, at, other) in changes:
        content = (folder / file).read_bytes()
        if what == "word":
            found = list(WORD.finditer(content))
            word = found[at % len(found)] if found else None
            if word:
                alike = [one for one in words if (b"." in one) == (b"." in word[0])]
                content = content[: word.start()] + alike[other % len(alike)] + content[word.end() :]
        elif what == "lose item":
            found = list(ITEM.finditer(content))
            item = found[at % len(found)] if found else None
            content = content[: item.start()] + content[item.end() :] if item else content
        elif what == "bytes":
            at, (length, piece) = at % (len(content) + 1), divmod(other % (20 * len(NASTY)), len(NASTY))
            content = content[:at] + NASTY[piece] + content[at + length :]
        else:
            lines = content.splitlines(keepends=True)
            at %= len(lines) + 1
            content = b"".join(lines[:at] + lines[at + 1 :])
        (folder / file).write_bytes(content)


def activated(folder: Path) -> Policy | None:
    try:
        return load(folder)
    except PolicyRejected:
        return None


# Each run draws others, and `make fuzz` draws thousands.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FILES), CHANGE), min_size=1, max_size=2))
def test_no_change_of_bytes_gives_an_outsider_more_than_its_ceiling(changes: list[Change]) -> None:
    with TemporaryDirectory() as name:
        folder = write_set(Path(name), {})
        for file in UNJUDGED:
            (folder / file).unlink()
        changed_bytes(folder, changes)
        policy = activated(folder)
        if policy is not None:
            assert_no_outsider_exceeds(folder, policy)


@settings(max_examples=EXAMPLES // 3, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DECIDING + HOLDING), CHANGE), min_size=1, max_size=2))
def test_no_change_of_bytes_of_the_shipped_set_gives_an_outsider_more_than_its_ceiling(changes: list[Change]) -> None:
    """Without its tests and hints: the ceiling holds by itself."""
    with TemporaryDirectory() as name:
        folder = untested(Path(name))
        changed_bytes(folder, changes)
        policy = activated(folder)
        if policy is not None:
            assert_no_outsider_exceeds(folder, policy)


def test_the_ceilings_of_the_shipped_set_are_the_same_both_ways() -> None:
    assert_no_outsider_exceeds(SHIPPED, shipped())
    assert {kind: ceiling for kind, (ceiling, _) in ceilings_in(SHIPPED).items()} == {
        kind: found.ceiling for kind, found in shipped().agents.items()
    }
