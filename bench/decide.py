"""One decision in process, beside a bare look-up, Cedar and Casbin, on the shipped set; and how long sets load.

The bare look-up is what a decision cannot be faster than: the class of a seat in a dictionary and the permission in
its set. The peers get what they are fastest with: Cedar its policies and entities parsed beforehand, Casbin its
enforcer loaded; only the question is asked. Every engine answers the same questions, and the answers are compared
before anything is measured.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import casbin  # type: ignore[import-untyped]  # ships no types
import cedarpy

from authz.cedar import cedar_actions, cedar_policies, cedar_seat
from authz.decide import Seat, allowed, decide, permissions
from authz.load import load
from authz.policy import Policy
from bench import results
from bench.large_set import write_large_set

SHIPPED = Path(__file__).resolve().parent.parent / "policies"
ROUNDS = 15
LOADS = 7
ROLES, PERMISSIONS = 1000, 200
ACME = Seat("agent", frozenset({"biller"}), agent_kind="billing_company", agreement_in_force=True)
ASKED = ("claims.submit", "eligibility.check", "agents.connect", "cpt_codes.update")  # two allowed, two denied
# A person is in a role, and a role may do something: the smallest model of Casbin that can say it.
MODEL = """
[request_definition]
r = sub, act
[policy_definition]
p = sub, act
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.act == p.act
"""
Ask = Callable[[str], bool]


def main() -> None:
    policy = load(SHIPPED)
    engines = _engines(policy)
    expected = [allowed(policy, (ACME,), permission) for permission in ASKED]
    for name, (ask, _) in engines.items():
        if [ask(permission) for permission in ASKED] != expected:
            raise SystemExit(f"{name} answers differently")
    medians = {name: _nanoseconds(ask, times) for name, (ask, times) in engines.items()}
    bare, ours = medians["bare look-up and set test"], medians["sparekey, allowed"]
    table = [f"{'one decision, median of ' + str(ROUNDS):<48} {'ns':>9} {'× bare':>9} {'× ours':>9}"]
    for name, median in medians.items():
        table.append(f"{name:<48} {median:>9,.0f} {median / bare:>9.1f} {median / ours:>9.1f}")
    results.keep("decide", [*table, "", *_loads()], ("cedarpy", "pycasbin"))


def _engines(policy: Policy) -> dict[str, tuple[Ask, int]]:
    """Each engine's question, and how often it is asked in a round."""
    key = (ACME.held_by, ACME.agent_kind, ACME.roles, ACME.agreement_in_force)
    classes = {key: permissions(policy, (ACME,))}
    seats = (ACME,)
    return {
        "bare look-up and set test": (lambda permission: permission in classes[key], 50_000),
        "sparekey, allowed": (lambda permission: allowed(policy, seats, permission), 50_000),
        "sparekey, allowed, a seat never asked before": (
            lambda permission: allowed(policy, (_fresh(),), permission),
            5000,
        ),
        "sparekey, decide, with the reason and the role": (
            lambda permission: decide(policy, seats, permission).allowed,
            20_000,
        ),
        "cedarpy, policies and entities parsed before": (_cedar(policy), 100),
        "pycasbin, enforcer loaded before": (_casbin(policy), 100),
    }


def _fresh() -> Seat:
    return Seat("agent", ACME.roles, agent_kind=ACME.agent_kind, agreement_in_force=True)


def _cedar(policy: Policy) -> Ask:
    policies = cedarpy.PolicySet.from_str(cedar_policies(policy))
    entities: Any = cedarpy.Entities.from_json_str(json.dumps([*cedar_actions(policy), cedar_seat("acme", ACME)]))
    request = {"principal": 'Seat::"acme"', "resource": 'Place::"here"', "context": {}}

    def ask(permission: str) -> bool:
        found = cedarpy.is_authorized({**request, "action": f'Action::"{permission}"'}, policies, entities)
        return bool(found.allowed)

    return ask


def _casbin(policy: Policy) -> Ask:
    """The ceiling is taken away beforehand, because this model cannot say it."""
    model = casbin.Model()
    model.load_model_from_text(MODEL)
    enforcer = casbin.Enforcer(model)
    ceiling = policy.agents["billing_company"].ceiling
    for role in policy.roles.values():
        plain = sorted((role.permissions & ceiling) - role.guards.keys())
        enforcer.add_policies([[role.key, permission] for permission in plain])
    enforcer.add_grouping_policy("acme", "biller")
    return lambda permission: bool(enforcer.enforce("acme", permission))


def _nanoseconds(ask: Ask, times: int) -> float:
    """The median over rounds of the mean over questions. The call of `ask` itself is in every engine's figure."""
    ask(ASKED[0])
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        for permission in ASKED:
            for _ in range(times // len(ASKED)):
                ask(permission)
        rounds.append((time.perf_counter_ns() - began) / times)
    return statistics.median(rounds)


def _loads() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="sparekey-bench-") as name:
        large = write_large_set(Path(name), ROLES, PERMISSIONS)
        yield f"{'a set and its tests, median of ' + str(LOADS):<48} {'ms':>9} {'at most':>9}"
        yield f"{'shipped':<48} {_milliseconds(SHIPPED):>9,.1f} {50:>9}"
        yield f"{f'{ROLES:,} roles × {PERMISSIONS} permissions':<48} {_milliseconds(large):>9,.1f} {1000:>9,}"


def _milliseconds(folder: Path) -> float:
    took = []
    for _ in range(LOADS):
        began = time.perf_counter()
        load(folder)
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)
