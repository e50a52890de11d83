"""The shipped set: what the product promises about roles, whatever else the files come to say."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from authz.load import load
from authz.policy import HELD_BY, Policy

SHIPPED = Path(__file__).parents[1] / "policies"
DECIDES_WHO_ELSE = {
    "agents.connect",
    "agents.set_roles",
    "agents.revoke",
    "staff.set_roles",
    "staff.remove",
    "practice.close",
    "practice.transfer",
    "security.update",
    "records.redact",
    "psychotherapy_notes.read",
}
TABLE = {
    "agents.verify": {"operator"},
    "members.invite": {"agent_admin"},
    "members.assign": {"agent_admin"},
    "members.depart": {"agent_admin"},
    "tokens.issue": {"agent_admin", "agent_member"},
    "tokens.cancel": {"agent_admin", "agent_member"},
    "agents.connect": {"owner", "manager"},
    "agents.set_roles": {"owner", "manager"},
    "agents.confirm_roles": {"owner"},
    "agents.suspend": {"owner", "manager", "operator"},
    "agents.renew": {"owner", "manager", "operator"},
    "agents.review": {"owner", "manager", "operator"},
    "agents.revoke": {"owner", "manager", "operator"},
    "staff.remove": {"owner", "staff_administrator"},
    "practice.transfer": {"owner"},
    "engagements.leave": {"agent_admin"},
    "agreements.record": {"owner", "manager"},
    "agreements.waive": {"owner"},
    "agreements.sign": {"agent_admin"},
    "audit.read": {"owner", "manager"},
    "audit.metadata.read": {"operator"},
}


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(SHIPPED)


def test_the_shipped_set_and_its_tests_load_in_under_50_ms() -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        load(SHIPPED)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.050


@pytest.mark.parametrize("permission", sorted(TABLE))
def test_who_may_do_what_is_the_table_of_the_product(policy: Policy, permission: str) -> None:
    assert {role.key for role in policy.roles_holding(permission)} == TABLE[permission]


def test_nothing_that_decides_who_else_works_in_the_account_is_within_reach_of_an_outsider(policy: Policy) -> None:
    for kind in policy.agents.values():
        assert not DECIDES_WHO_ELSE & kind.ceiling
    for permission in DECIDES_WHO_ELSE:
        assert policy.roles_holding(permission, "agent") == ()


def test_nobody_but_a_root_role_holds_both_sides_of_a_separated_duty(policy: Policy) -> None:
    assert {rule.id for rule in policy.separations} == {"submit_and_write_off", "grant_and_redact"}
    for role in policy.roles.values():
        for rule in policy.separations:
            assert role.root or len(role.permissions.intersection(rule.permissions)) <= rule.at_most
    assert {role.key for role in policy.roles.values() if role.root} == {"owner", "operator"}


def test_roles_that_must_stay_apart_are_found_when_they_are_put_together(policy: Policy) -> None:
    assert [rule.id for rule in policy.separations_broken(["manager", "records_custodian"])] == ["grant_and_redact"]
    assert policy.separations_broken(["manager", "biller", "scheduler", "gone"]) == ()
    assert policy.separations_broken(["owner", "records_custodian"]) == ()


def test_a_staff_administrator_names_no_owner_manager_or_other_administrator(policy: Policy) -> None:
    assert policy.grantable_by(["staff_administrator"], "staff") == {"scheduler", "biller", "reporting"}
    assert policy.grantable_by(["staff_administrator"], "member") == frozenset()


def test_every_grant_stays_within_what_the_granter_holds(policy: Policy) -> None:
    for granter in policy.roles.values():
        for held_by in HELD_BY:
            for key in policy.grantable_by([granter.key], held_by):
                assert granter.root or policy.roles[key].permissions <= granter.permissions


def test_an_owner_and_a_manager_choose_among_the_roles_for_agents(policy: Policy) -> None:
    for granter in ("owner", "manager"):
        assert policy.grantable_by([granter], "agent") == {"manager", "scheduler", "biller", "auditor"}
    assert policy.agents["billing_company"].roles == ("biller", "manager", "auditor")
    assert policy.agents["practice_management_company"].roles == ("scheduler", "biller", "manager", "auditor")
    assert policy.agents["front_office_worker"].roles == ("scheduler", "biller", "manager")


def test_a_misspelt_role_is_answered_with_the_near_ones(policy: Policy) -> None:
    assert policy.nearest_role("Biler") == ("biller",)
    assert policy.nearest_role("staff administrator")[0] == "staff_administrator"
    assert policy.nearest_role("x" * 10_000) == ()
    assert policy.nearest_role("zzz") == ()


def test_every_role_and_permission_says_what_it_is(policy: Policy) -> None:
    for role in policy.roles.values():
        assert role.title
        assert role.hint
    assert 40 <= len(policy.permissions) <= 70
    assert len({permission.title for permission in policy.permissions.values()}) == len(policy.permissions)


def test_no_wildcard_gives_anything_that_must_be_named(policy: Policy) -> None:
    wide = [path for path in (SHIPPED / "roles").glob("*.yaml") if ".*" in path.read_text()]
    assert wide
    for path in wide:
        text, role = path.read_text(), policy.roles[path.stem]
        for key in role.permissions.difference(*(policy.roles[name].permissions for name in role.includes)):
            permission = policy.permissions[key]
            if permission.effect in ("destructive", "admin") or permission.sensitivity in ("clinical", "restricted"):
                assert key in text


def test_the_policy_cannot_be_changed_once_it_is_loaded(policy: Policy) -> None:
    for mapping in (policy.roles, policy.permissions, policy.agents, policy.tasks, policy.roles["manager"].guards):
        with pytest.raises(TypeError):
            mapping["x"] = None  # type: ignore[index]  # that it cannot be written is what is tested
    with pytest.raises(AttributeError):
        policy.digest = "0" * 12  # type: ignore[misc]  # the same


def test_the_digest_moves_with_the_meaning_and_with_nothing_else(policy: Policy, tmp_path: Path) -> None:
    def changed(name: str, old: str, new: str) -> Policy:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for path in SHIPPED.rglob("*.yaml"):
            copy = folder / path.relative_to(SHIPPED)
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text()
            copy.write_text(text.replace(old, new) if copy == folder / name else text)
        return load(folder)

    same = [
        changed("roles/biller.yaml", "title: Biller", "# a comment\ntitle:   'Billing clerk'"),
        changed("roles/auditor.yaml", "[practice.profile.read, claims.read", "[claims.read, practice.profile.read"),
        changed("roles/biller.yaml", "payments.*", "payments.read, payments.record"),
        changed("policy.yaml", "2026.11.0", "2026.12.0"),
        changed("never.yaml", "Only the platform vouches", "The platform alone vouches"),
    ]
    assert {found.digest for found in same} == {policy.digest}
    assert len({found.source_digest for found in same} | {policy.source_digest}) == 6
    moved = [
        changed("policy.yaml", "ttl_minutes: 10", "ttl_minutes: 11"),
        changed("roles/manager.yaml", "review_days: 90", "review_days: 91"),
        changed("roles/biller.yaml", "granted_by: [owner, manager", "granted_by: [owner"),
        changed("agents.yaml", "agreement: recommended", "agreement: not_needed"),
    ]
    assert len({found.digest for found in moved} | {policy.digest}) == 5
