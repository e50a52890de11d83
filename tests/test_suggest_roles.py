"""From what people say to the least roles for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz.advice import task_named
from authz.least_roles import least_roles, reach
from authz.load import load
from authz.policy import Policy, Task
from authz.suggest import suggest
from tests.town import Client, Town

POLICY = load(Path(__file__).parents[1] / "policies")
SUGGEST = """query ($tasks: [String!]!, $kind: AgentKind) {
    suggestRoles(tasks: $tasks, agentKind: $kind) { roles { key permissions { key } } because }
}"""


def keys(said: Sequence[str], agent_kind: str | None = None, policy: Policy = POLICY) -> list[str]:
    return [role.key for role in suggest(policy, said, agent_kind).roles]


def because(*said: str, agent_kind: str | None = None) -> tuple[str, ...]:
    return suggest(POLICY, said, agent_kind).because


@pytest.fixture
async def anybody(town: Town) -> Client:
    return await town.person("anybody@nowhere.example")


# --- the roles


@pytest.mark.parametrize(
    ("said", "kind", "expected"),
    [
        (["submit claims"], None, ["biller"]),
        (["book appointments", "submit claims"], None, ["biller", "scheduler"]),
        (["book appointments", "submit claims"], "practice_management_company", ["biller", "scheduler"]),
        (["book appointments", "submit claims"], "billing_company", ["manager"]),
        (["submit claims", "edit CPT codes"], None, ["manager"]),
        (["check eligibility", "review the books"], "billing_company", ["auditor", "biller"]),
        (["review the books"], "front_office_worker", ["manager"]),
        (["refund payments"], None, ["manager"]),
        ([], None, []),
        (["sing"], None, []),
        (["submit claims"], "a kind that is not there", []),
    ],
)
def test_the_roles_are_the_least_that_do_it(said: list[str], kind: str | None, expected: list[str]) -> None:
    assert keys(said, kind) == expected


@pytest.mark.parametrize("task", POLICY.tasks.values(), ids=lambda task: task.key)
def test_for_every_single_task_it_is_the_recommended_role(task: Task) -> None:
    for said in (task.key, task.key.upper(), *task.says, *(f"  {words.upper()} " for words in task.says)):
        assert keys([said]) == [task.recommend]
        assert task_named(POLICY, said) == task


def test_capitals_and_spaces_in_the_policy_s_own_words_do_not_count_either() -> None:
    task = Task("codes", ("Edit  CPT codes",), ("cpt_codes.update",), "manager")
    assert task_named(replace(POLICY, tasks={task.key: task}), "edit cpt CODES ") == task


def brute_force(policy: Policy, tasks: Sequence[Task], kind: str | None) -> tuple[int, int, int]:
    """Of all sets of roles the best: sensitive roles, permissions, roles."""
    giving = {key: given for key, role in policy.roles.items() if (given := reach(policy, role, kind))}
    needs = frozenset[str]().union(*giving.values()).intersection(need for task in tasks for need in task.needs)
    sets = chain.from_iterable(combinations(giving, size) for size in range(len(giving) + 1))
    held = {found: frozenset[str]().union(*(giving[key] for key in found)) for found in sets}
    return min(
        (sum(policy.roles[key].sensitive for key in found), len(has), len(found))
        for found, has in held.items()
        if needs <= has
    )


@st.composite
def policies(draw: st.DrawFn) -> tuple[Policy, tuple[Task, ...]]:
    """The shipped set with other roles, of which a management company can have all, and tasks for them."""
    permissions = sorted(POLICY.agents["practice_management_company"].ceiling)[:8]
    some = st.frozensets(st.sampled_from(permissions), min_size=1, max_size=5)
    drawn = draw(st.lists(st.tuples(some, st.booleans()), min_size=1, max_size=6))
    biller = POLICY.roles["biller"]
    roles = {
        f"role_{place}": replace(biller, key=f"role_{place}", permissions=holds, sensitive=sensitive)
        for place, (holds, sensitive) in enumerate(drawn)
    }
    kind = replace(POLICY.agents["practice_management_company"], roles=tuple(roles))
    needs = draw(st.lists(some, min_size=1, max_size=3))
    tasks = tuple(Task(f"t{place}", ("x",), tuple(need), "role_0") for place, need in enumerate(needs))
    return replace(POLICY, roles=roles, agents={kind.key: kind}), tasks


@settings(max_examples=60, deadline=None)
@given(policies())
def test_nothing_less_would_do(drawn: tuple[Policy, tuple[Task, ...]]) -> None:
    policy, tasks = drawn
    found = least_roles(policy, tasks, "practice_management_company")
    held = frozenset[str]().union(*(role.permissions for role in found))
    weight = (sum(role.sensitive for role in found), len(held), len(found))
    assert weight == brute_force(policy, tasks, "practice_management_company")


def test_many_roles_that_all_do_a_little_are_chosen_from_in_a_moment() -> None:
    permissions = sorted(POLICY.agents["practice_management_company"].ceiling)
    biller = POLICY.roles["biller"]
    roles = {
        f"r{place}": replace(biller, key=f"r{place}", permissions=frozenset({permissions[place % len(permissions)]}))
        for place in range(200)
    }
    kind = replace(POLICY.agents["practice_management_company"], roles=tuple(roles))
    policy = replace(POLICY, roles=roles, agents={kind.key: kind})
    task = Task("all", ("all",), tuple(permissions), "r0")
    found = least_roles(policy, [task], kind.key)
    assert {key for role in found for key in role.permissions} == set(permissions)
    assert len(found) == len(permissions)


# --- the reasons


def test_the_reasons_say_which_role_for_which_task_and_why_not_a_bigger_one() -> None:
    assert because("submit claims", "book appointments") == (
        'Biller is enough for "submit claims". Manager, a sensitive role, would do it too, and 10 more things that '
        "nobody asked for.",
        'Scheduler is enough for "book appointments". Manager, a sensitive role, would do it too, and 11 more things '
        "that nobody asked for.",
    )


def test_the_reasons_say_why_it_is_not_the_usual_role() -> None:
    assert because("edit cpt codes", "submit claims") == (
        'Manager is enough for "edit CPT codes".',
        'Manager is enough for "submit claims". With it, Biller is not needed.',
    )
    assert because("book appointments", agent_kind="billing_company") == (
        'Manager is enough for "book appointments". Scheduler would be, but a billing company cannot have it.',
    )


def test_a_condition_is_told() -> None:
    assert because("refund payments")[-1] == "Refund payments: only when action.amount is at most 500."


def test_what_no_role_does_is_told() -> None:
    lonely = replace(POLICY.agents["billing_company"], roles=("auditor",))
    policy = replace(POLICY, agents={"billing_company": lonely})
    found = suggest(policy, ["submit claims", "review the books"], "billing_company")
    assert [role.key for role in found.roles] == ["auditor"]
    assert found.because == (
        'No role that a billing company can have is enough for "submit claims": none gives it Submit and correct '
        "claims.",
        'Auditor is enough for "review the books".',
    )


@pytest.mark.parametrize("typed", ["sumbit claims", "Submit claim", "submit_clams", "submit  claims."])
def test_a_typing_mistake_is_taken_for_what_was_meant_and_told(typed: str) -> None:
    found = suggest(POLICY, [typed])
    assert [role.key for role in found.roles] == ["biller"]
    assert found.because[0] == f'"{typed}": did you mean "submit claims"? It was taken for that.'


@pytest.mark.parametrize("said", ["sing", "", "claims", "revoke everything", "x" * 10_000, "a\0b", "\u202e"])
def test_what_is_no_task_gives_no_role_and_is_told_with_what_could_be_named(said: str) -> None:
    found = suggest(POLICY, ["book appointments", said])
    assert [role.key for role in found.roles] == ["scheduler"]
    assert "is nothing that the policy knows a role for" in found.because[0]
    assert found.because[-1].startswith("What can be named: book appointments, send reminders,")
    assert all(len(sentence) < 400 and sentence.isprintable() for sentence in found.because)


def test_what_is_said_twice_is_told_once() -> None:
    assert because("submit claims", "bill insurance", "submit_claims") == because("submit claims")


# --- the query


async def test_anybody_who_is_signed_in_may_ask(anybody: Client) -> None:
    found = await anybody.ask(SUGGEST, tasks=["Submit  Claims", "sing"], kind="BILLING_COMPANY")
    assert [role["key"] for role in found["roles"]] == ["biller"]
    assert {"key": "claims.submit"} in found["roles"][0]["permissions"]
    assert found["because"] == list(because("submit claims", "sing", agent_kind="billing_company"))
    assert (await anybody.ask(SUGGEST, tasks=["book appointments"]))["roles"][0]["key"] == "scheduler"


async def test_more_tasks_than_anybody_names_are_refused(anybody: Client) -> None:
    assert (await anybody.ask(SUGGEST, tasks=["submit claims"] * 20))["roles"]
    refused = await anybody.refusal(SUGGEST, tasks=["submit claims"] * 21)
    assert refused["extensions"] == {"code": "LIMIT_REACHED", "limit": 20}
