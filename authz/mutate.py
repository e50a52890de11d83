"""Would the tests of a set notice a small mistake in it? Each mutant that they let pass is answered with the test
that is missing, ready to paste."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from authz.mutants import Mutant, Proof, mutants
from authz.policy import Policy, PropertyValue
from authz.run_tests import Case, failures

LONGEST_KEY = 40


@dataclass(frozen=True, slots=True)
class Mutation:
    tried: int
    survivors: tuple[Mutant, ...]

    @property
    def killed(self) -> int:
        return self.tried - len(self.survivors)


def mutate(policy: Policy, cases: Iterable[Case]) -> Mutation:
    """Every mutant against the tests that speak of what it changes."""
    every = list(cases)
    by_role = {role: [case for case in every if role in case.seat.roles] for role in policy.roles}
    by_kind = {kind: [case for case in every if case.seat.agent_kind == kind] for kind in policy.agents}
    tried, survivors = 0, []
    for mutant in mutants(policy):
        tried += 1
        asked = by_role[mutant.role] if mutant.role else by_kind[mutant.kind] if mutant.kind else every
        if not any(True for case in asked for _ in failures(case, mutant.policy)):
            survivors.append(mutant)
    return Mutation(tried, tuple(survivors))


def paste(survivors: Iterable[Mutant]) -> Iterator[str]:
    """A file of tests that kills them; tests that differ in the permission only are one line."""
    grouped: dict[Proof, dict[str, None]] = {}
    for mutant in survivors:
        grouped.setdefault(replace(mutant.proof, name=""), {})[mutant.proof.name] = None
    if not grouped:
        return
    subjects = _subjects(grouped)
    yield from ("format: sparekey/v1", "kind: tests", "subjects:")
    yield from (f"  {name}: {stated}" for stated, name in subjects.items())
    yield "tests:"
    yield from (f"  - {_line(proof, subjects[_stated(proof)], list(names))}" for proof, names in grouped.items())


def _subjects(proofs: Iterable[Proof]) -> dict[str, str]:
    """What is stated about a subject → its name, which is a key of the format and no other subject's."""
    names: dict[str, str] = {}
    for proof in proofs:
        words = [proof.holder.name, *proof.roles, *([] if proof.agreement else ["no_agreement"])]
        name = "_".join(words)
        if len(name) > LONGEST_KEY:
            name = f"{name[: LONGEST_KEY - 4].rstrip('_')}_{len(names)}"
        names.setdefault(_stated(proof), name)
    return names


def _stated(proof: Proof) -> str:
    roles = ", ".join(proof.roles)
    if proof.holder.kind is None:
        return f"{{held_by: {proof.holder.held_by}, roles: [{roles}]}}"
    agreement = "in_force" if proof.agreement else "none"
    return f"{{kind: {proof.holder.kind}, roles: [{roles}], agreement: {agreement}}}"


def _line(proof: Proof, subject: str, names: list[str]) -> str:
    says = {"allow": "may", "deny": "may not", "breaks": "would break"}[proof.verb]
    some = names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
    parts = [f"name: {subject} {says} {some}", f"subject: {subject}", f"{proof.verb}: [{', '.join(names)}]"]
    if proof.properties:
        parts.append("with: {" + ", ".join(f"{name}: {_value(value)}" for name, value in proof.properties) + "}")
    if proof.because:
        parts.append(f"because: {proof.because}")
    return "{" + ", ".join(parts) + "}"


def _value(value: PropertyValue) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
