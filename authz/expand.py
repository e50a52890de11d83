"""From what role files say to what roles hold: wildcards, includes, what is dropped, guards.

    mask(role) = (masks of what it includes, and its own grants) without what it drops

A problem is reported in the file that causes it and not again in the roles that inherit it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from authz.diagnostic import Report, Word
from authz.draft import RoleDraft, SetDraft
from authz.guards import PLAIN, Guards, compile_guard, either, on_top
from authz.names import Names
from authz.policy import Permission

NAMED_EFFECTS = ("destructive", "admin")  # a wildcard never reaches these: whoever grants them says so
NAMED_SENSITIVITIES = ("clinical", "restricted")
MOST_SHOWN = 8  # roles of a circle that a message names


@dataclass(slots=True)
class Mask:
    """`held`: permission → its guards. `via`: permission → the word of this role's file that brings it in."""

    held: dict[str, Guards] = field(default_factory=dict)
    via: dict[str, Word] = field(default_factory=dict)

    def add(self, permission: str, guards: Guards, via: Word) -> None:
        self.held[permission] = either(self.held.get(permission), guards)
        self.via.setdefault(permission, via)

    def drop(self, permission: str) -> None:
        del self.held[permission]
        del self.via[permission]


@dataclass(slots=True)
class Expansion:
    """The masks of all roles; `draft.broken` grows by the roles about which nothing can be concluded.

    `wildcards`: role → each wildcard in its own file → the permissions it reaches today.
    """

    draft: SetDraft
    names: Names
    permissions: Mapping[str, Permission]
    report: Report
    masks: dict[str, Mask] = field(default_factory=dict)
    wildcards: dict[str, dict[Word, list[str]]] = field(default_factory=dict)

    def sound(self) -> Iterable[tuple[RoleDraft, Mask]]:
        return [(role, self.masks[key]) for key, role in self.draft.roles.items() if key not in self.draft.broken]


def expand(draft: SetDraft, names: Names, permissions: Mapping[str, Permission], report: Report) -> Expansion:
    expansion = Expansion(draft, names, permissions, report)
    if names.permissions is None:
        draft.broken.update(draft.roles)
    for role in _in_order(draft, report):
        if any(include in draft.broken or include not in draft.roles for include in role.includes):
            draft.broken.add(role.key)
        expansion.masks[role.key] = _mask(role, expansion)
    return expansion


def _in_order(draft: SetDraft, report: Report) -> Iterable[RoleDraft]:
    """Each role after those it includes; a circle is reported once and its members count as broken."""
    waiting = {key: [name for name in role.includes if name in draft.roles] for key, role in draft.roles.items()}
    inside: dict[str, list[str]] = {}
    for role, names in waiting.items():
        for name in names:
            inside.setdefault(name, []).append(role)
    missing = {key: len(names) for key, names in waiting.items()}
    ready = [key for key, count in missing.items() if count == 0]
    done: set[str] = set()
    while len(done) < len(draft.roles):
        if not ready:
            ready = _break_circle(waiting, done, draft, report)
        key = ready.pop()
        if key in done:
            continue
        done.add(key)
        yield draft.roles[key]
        for outer in inside.get(key, ()):
            missing[outer] -= 1
            if missing[outer] == 0 and outer not in done:
                ready.append(outer)


def _break_circle(waiting: Mapping[str, list[Word]], done: set[str], draft: SetDraft, report: Report) -> list[str]:
    """Every role left waits for another one left, so that following them must come round."""
    key = min(role for role in waiting if role not in done)
    walked: list[str] = []
    while key not in walked:
        walked.append(key)
        key = str(next(name for name in waiting[key] if name not in done))
    circle = walked[walked.index(key) :]
    start = circle.index(min(circle))
    circle = circle[start:] + circle[:start]
    following = circle[1] if len(circle) > 1 else circle[0]
    word = next(name for name in draft.roles[circle[0]].includes if name == following)
    path = " → ".join([*circle[:MOST_SHOWN], *(["…"] if len(circle) > MOST_SHOWN else []), circle[0]])
    report.add("P140", word.spot, f"roles include each other in a circle: {path}")
    draft.broken.update(circle)
    return list(circle)


def _mask(role: RoleDraft, expansion: Expansion) -> Mask:
    mask = Mask()
    for include in role.includes:
        inherited = expansion.masks.get(include)
        for permission, guards in inherited.held.items() if inherited else ():
            mask.add(permission, guards, include)
    for grant in role.grants:
        for permission in _reach(grant, role, expansion):
            mask.add(permission, PLAIN, grant)
            mask.via[permission] = grant
    _drop(role, mask, expansion)
    _guard(role, mask, expansion)
    if role.key not in expansion.draft.broken:
        _check_sensitivity(role, mask, expansion)
        _check_needs(role, mask, expansion)
    return mask


def _reach(grant: Word, role: RoleDraft, expansion: Expansion) -> list[str]:
    """The permissions a grant names. A wildcard leaves out whatever must be named."""
    names, permissions = expansion.names, expansion.permissions
    if not grant.endswith(".*"):
        if names.permission((grant,)) and grant in permissions:
            return [str(grant)]
        expansion.draft.broken.add(role.key)
        return []
    below = [permission for key, permission in permissions.items() if key.startswith(grant[:-1])]
    found = [permission.key for permission in below if wildcard_reaches(permission)]
    if not found:
        expansion.draft.broken.add(role.key)
        if names.permissions is not None:
            _report_empty_wildcard(grant, below, expansion)
    expansion.wildcards.setdefault(role.key, {})[grant] = found
    return found


def wildcard_reaches(permission: Permission) -> bool:
    """Or must it be named wherever it is granted?"""
    named = permission.effect in NAMED_EFFECTS or permission.sensitivity in NAMED_SENSITIVITIES
    return permission.wildcard and not named


def _report_empty_wildcard(grant: Word, below: list[Permission], expansion: Expansion) -> None:
    if below:
        must = ", ".join(permission.key for permission in below)
        expansion.report.add("P138", grant.spot, f"{grant} reaches nothing: {must} must be named")
        return
    first_words = {f"{key.split('.')[0]}.*" for key in expansion.permissions}
    near = expansion.report.did_you_mean(grant, first_words)
    expansion.report.add("P138", grant.spot, f"{grant} reaches nothing: no permission starts like this", near)


def _drop(role: RoleDraft, mask: Mask, expansion: Expansion) -> None:
    """Here a wildcard reaches everything below it: to drop more than was meant can only deny."""
    for word in role.without:
        if word in role.grants:
            expansion.report.add("P143", word.spot, f"{word} is both granted and dropped")
        if not word.endswith(".*") and not expansion.names.permission((word,)):
            expansion.draft.broken.add(role.key)
            continue
        dropped = [key for key in mask.held if key == word or (word.endswith(".*") and key.startswith(word[:-1]))]
        if not dropped and role.key not in expansion.draft.broken:
            expansion.report.add("P143", word.spot, f"{word} drops nothing: the role does not hold it")
        for key in dropped:
            mask.drop(key)


def _guard(role: RoleDraft, mask: Mask, expansion: Expansion) -> None:
    for draft in role.guards:
        word = draft.permission
        permission = expansion.permissions.get(word)
        if permission is None:
            expansion.names.permission((word,))
            expansion.draft.broken.add(role.key)
            continue
        guard = compile_guard(draft, permission, expansion.report)
        if guard is None:
            expansion.draft.broken.add(role.key)
        elif word in mask.held:
            mask.held[str(word)] = on_top(guard, mask.held[word])
        elif role.key not in expansion.draft.broken:
            expansion.report.add("P144", word.spot, f"{word} has a guard, but the role does not hold it")


def _check_sensitivity(role: RoleDraft, mask: Mask, expansion: Expansion) -> None:
    order = expansion.names.sensitivities
    if order is None or role.sensitivity_max not in order:
        return
    highest = order.index(role.sensitivity_max)
    above: dict[Word, list[str]] = {}
    for key, word in mask.via.items():
        if expansion.permissions[key].rank > highest and not _reported_below(word, key, role, expansion):
            above.setdefault(word, []).append(f"{key} ({expansion.permissions[key].sensitivity})")
    for word, keys in above.items():
        reaches = "" if word in expansion.permissions else f"{word} reaches "
        message = f"{reaches}{', '.join(keys)}: above this role's sensitivity_max, {role.sensitivity_max}"
        expansion.report.add("P141", word.spot, message)


def _reported_below(word: Word, key: str, role: RoleDraft, expansion: Expansion) -> bool:
    """Inherited from a role for which it is too sensitive already?"""
    included = expansion.draft.roles.get(word) if word in role.includes else None
    order = expansion.names.sensitivities or ()
    if included is None or included.sensitivity_max not in order:
        return False
    return expansion.permissions[key].rank > order.index(included.sensitivity_max)


def _check_needs(role: RoleDraft, mask: Mask, expansion: Expansion) -> None:
    for key, word in mask.via.items():
        for need in expansion.permissions[key].needs:
            if need not in mask.held and need in expansion.permissions:
                below = expansion.masks.get(word) if word in role.includes else None
                if below is not None and need not in below.held:
                    continue  # the included role lacks it already, and says so in its own file
                place = next((drop for drop in role.without if _covers(drop, need)), word)
                expansion.report.add("P142", place.spot, f"{key} needs {need}, which the role does not hold")


def _covers(word: Word, key: str) -> bool:
    return word == key or (word.endswith(".*") and key.startswith(word[:-1]))
