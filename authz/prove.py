"""What must never happen, shown to be impossible before a set is activated.

* A promise (`never`): no role of such a holder has the permission. For agents a promise is a ceiling instead,
  which takes away from roles that staff hold too; only a role that agents alone hold can break it.
* Separation of duty: no role holds more of the permissions than it may (P151), and neither does any union of
  roles that one holder can come to have by grants (P153). Whoever may grant what, the widest such union is that
  of all roles that somebody may grant to this kind of holder; for an agent, of its kind's roles under its
  ceiling. A separation that holds only because grants are refused one by one (`Policy.separations_broken`) says
  so with `enforced: at_grant`, and is then not proven for unions. For agents it is proven all the same: what an
  outsider was given last year is not asked again when the policy changes.
* No escalation: what holders of a role can bring about by granting, through any chain of `granted_by`, stays
  within what the role holds.

Root roles stand outside the second and third claim, and every message about them says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from authz.build import ceiling
from authz.diagnostic import Word
from authz.draft import PromiseDraft, RoleDraft, SeparationDraft
from authz.expand import Expansion, Mask
from authz.guards import no_wider
from authz.policy import HELD_BY

ONE_OF = {"staff": "staff member", "member": "member of an agent", "user": "user", "platform": "operator"}


def prove(expansion: Expansion) -> None:
    """Reports every promise, separation and escalation that the sound roles break."""
    for promise in expansion.draft.promises:
        for role, mask in expansion.sound():
            _promise(promise, role, mask, expansion)
    for separation in expansion.draft.separations.values():
        for role, mask in expansion.sound():
            if not role.root:
                _separation(separation, role, mask, expansion)
        for union in _unions(expansion):
            _apart(separation, union, expansion)
    if expansion.draft.no_escalation:
        _no_escalation(expansion)


def _promise(promise: PromiseDraft, role: RoleDraft, mask: Mask, expansion: Expansion) -> None:
    if not _bound(promise, role):
        return
    for key in promise.permissions:
        word = mask.via.get(key)
        below = expansion.draft.roles.get(word) if word is not None and word in role.includes else None
        if word is None or (below is not None and _bound(promise, below)):
            continue
        via = "" if word == key else f"through {word}, "
        message = f"{via}{role.key} gives {key} to {promise.held_by}, who never has it: {promise.because}"
        expansion.report.add("P150", word.spot, message)


def _bound(promise: PromiseDraft, role: RoleDraft) -> bool:
    """Would this role break the promise by holding the permission?"""
    if promise.held_by == "agent":
        return set(role.held_by) == {"agent"}
    return promise.held_by in role.held_by


def _separation(rule: SeparationDraft, role: RoleDraft, mask: Mask, expansion: Expansion) -> None:
    held = [key for key in rule.permissions if key in mask.held]
    if len(held) <= rule.at_most:
        return
    for include in role.includes:
        below, included = expansion.masks.get(include), expansion.draft.roles.get(include)
        if below and included and not included.root and sum(key in below.held for key in held) > rule.at_most:
            return  # reported there
    word = max((mask.via[key] for key in held), key=lambda word: (word.spot.line, word.spot.column))
    message = f"{role.key} holds {', '.join(held)}, at most {rule.at_most} of which may be in one hand: {rule.because}"
    expansion.report.add("P151", word.spot, message)


@dataclass(frozen=True, slots=True)
class _Union:
    """All roles that one holder of a kind can come to have together; `ceiling` is None where there is none."""

    holder: str
    roles: tuple[RoleDraft, ...]
    ceiling: frozenset[str] | None = None


def _unions(expansion: Expansion) -> list[_Union]:
    """Only what is granted can be put together: a role that nobody grants comes alone, and a root role is outside."""
    grantable = [role for role, _ in expansion.sound() if role.granted_by and not role.root]
    unions = []
    for held_by in HELD_BY:
        roles = tuple(role for role in grantable if held_by in role.held_by)
        if held_by != "agent":
            unions.append(_Union(ONE_OF[held_by], roles))
            continue
        for kind in expansion.draft.kinds.values():
            offered = tuple(role for role in roles if role.key in kind.roles)
            unions.append(_Union(kind.key, offered, ceiling(kind, expansion.names.sensitivities or (), expansion)))
    return unions


def _apart(rule: SeparationDraft, union: _Union, expansion: Expansion) -> None:
    """A union of one role is `_separation`'s."""
    if rule.enforced == "at_grant" and union.ceiling is None:
        return
    gives: dict[str, list[str]] = {}
    for role in union.roles:
        held = expansion.masks[role.key].held
        keys = [str(key) for key in rule.permissions if key in held and (union.ceiling is None or key in union.ceiling)]
        if len(keys) > rule.at_most:
            return
        gives[role.key] = keys
    together = _fewest(gives, rule.at_most)
    if together:
        held_together = sorted({key for role in together for key in gives[role]})
        message = (
            f"{' and '.join(together)} can be granted to one {union.holder}, who then holds "
            f"{', '.join(held_together)}, at most {rule.at_most} of which may be in one hand: {rule.because}"
        )
        hint = "" if union.ceiling is not None else "enforced: at_grant says that the grant is refused instead"
        expansion.report.add("P153", rule.id.spot, message, hint)


def _fewest(gives: dict[str, list[str]], at_most: int) -> list[str]:
    """A few roles that together give more than `at_most`, or none: each step takes the one that adds most."""
    together: list[str] = []
    held: set[str] = set()
    while len(held) <= at_most:
        best = max(sorted(gives), key=lambda role: len(held.union(gives[role])), default=None)
        if best is None or held.issuperset(gives[best]):
            return []
        together.append(best)
        held.update(gives[best])
    return sorted(together)


@dataclass(frozen=True, slots=True)
class _Step:
    """A role that can be brought about, the word in its file that lets it, and the chain up to it."""

    role: RoleDraft
    word: Word
    chain: tuple[str, ...]


def _no_escalation(expansion: Expansion) -> None:
    grants = _grants(expansion)
    roots = ", ".join(sorted(role.key for role in expansion.draft.roles.values() if role.root))
    beyond = f"; root roles ({roots}) are outside this claim" if roots else ""
    for role, mask in expansion.sound():
        if not role.root:
            for step, gained in _escalations(role, mask, grants, expansion):
                chain = " → ".join(step.chain)
                some = ", ".join(gained[:3]) + (f" and {len(gained) - 3} more" if len(gained) > 3 else "")
                message = f"whoever holds {role.key} can bring about {some} by granting {chain}{beyond}"
                expansion.report.add("P152", step.word.spot, message)


def _grants(expansion: Expansion) -> dict[str, list[tuple[RoleDraft, Word]]]:
    """Who can grant what: granter → the roles whose files name it, and where."""
    grants: dict[str, list[tuple[RoleDraft, Word]]] = {}
    for granted, _ in expansion.sound():
        for word in granted.granted_by:
            grants.setdefault(word, []).append((granted, word))
    return grants


def _escalations(
    role: RoleDraft, mask: Mask, grants: dict[str, list[tuple[RoleDraft, Word]]], expansion: Expansion
) -> Iterable[tuple[_Step, list[str]]]:
    """The first role on each chain that goes beyond `role`.

    Everything before it stays within, so when its granter is another role that is not a root, that role is
    the cause and reports it itself.
    """
    seen = {role.key}
    waiting = deque([_Step(role, Word(role.key), (role.key,))])
    while waiting:
        step = waiting.popleft()
        for granted, word in grants.get(step.role.key, ()):
            if granted.key in seen:
                continue
            seen.add(granted.key)
            following = _Step(granted, word, (*step.chain, granted.key))
            held = expansion.masks[granted.key].held
            gained = [key for key, guards in held.items() if not no_wider(guards, mask.held.get(key))]
            if not gained:
                waiting.append(following)
            elif step.role.key == role.key or step.role.root:
                yield following, gained
