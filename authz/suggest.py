"""From what people say an agent is for to the roles that are enough for it, with the reasons in plain words."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from authz.advice import plainly, task_named
from authz.diagnostic import shown
from authz.least_roles import least_roles, reach, reaches
from authz.plain_words import a, guard_words
from authz.policy import LONGEST_NAME, Policy, Role, Task

NEAR = 0.75  # of a typing mistake; less than that is another thing, which must not be taken for a task


@dataclass(frozen=True, slots=True)
class Suggestion:
    roles: tuple[Role, ...]
    because: tuple[str, ...]


@dataclass(slots=True)
class _Heard:
    """What was understood: each task once, and a sentence for everything that was not said plainly."""

    tasks: dict[str, Task] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    unknown: bool = False


def suggest(policy: Policy, said: Sequence[str], agent_kind: str | None = None) -> Suggestion:
    """The least roles for what was said; of an agent of this kind, or of any. Nothing that is said is an error."""
    heard = _hear(policy, said)
    tasks = tuple(heard.tasks.values())
    roles = least_roles(policy, tasks, agent_kind)
    told = _Telling(policy, agent_kind, roles)
    because = [*heard.doubts, *(sentence for task in tasks for sentence in told.sentences(task))]
    if heard.unknown or not tasks:
        because.append(f"What can be named: {', '.join(task.says[0] for task in policy.tasks.values())}.")
    return Suggestion(roles, tuple(because))


def nearest_task(policy: Policy, words: str) -> tuple[str, Task] | None:
    """The task that somebody who mistyped these words meant, with its right words."""
    if len(words) > LONGEST_NAME:
        return None
    meant = {key.replace("_", " "): task for key, task in policy.tasks.items()}
    meant |= {plainly(says): task for task in policy.tasks.values() for says in task.says}
    near = difflib.get_close_matches(plainly(words).replace("_", " "), meant, n=1, cutoff=NEAR)
    return (near[0], meant[near[0]]) if near else None


def _hear(policy: Policy, said: Sequence[str]) -> _Heard:
    heard = _Heard()
    for words in said:
        task = task_named(policy, words)
        near = None if task else nearest_task(policy, words)
        if near is not None:
            right, task = near
            heard.doubts.append(f'"{shown(words)}": did you mean "{right}"? It was taken for that.')
        if task is None:
            heard.doubts.append(f'"{shown(words)}" is nothing that the policy knows a role for.')
            heard.unknown = True
        else:
            heard.tasks.setdefault(task.key, task)
    return heard


@dataclass(frozen=True, slots=True)
class _Telling:
    """Why these roles, task by task."""

    policy: Policy
    agent_kind: str | None
    roles: tuple[Role, ...]

    def sentences(self, task: Task) -> Iterator[str]:
        needs = frozenset(task.needs)
        doing = self._doing(needs)
        missing = sorted(needs.difference(*(self._reach(role) for role in doing)))
        if missing:
            titles = "; ".join(self.policy.permissions[key].title for key in missing)
            yield f'No role that {self._who()} can have is enough for "{task.says[0]}": none gives it {titles}.'
        if doing and not missing:
            yield f"{self._enough(task, doing)}{self._instead(task, doing)}{self._not_bigger(needs, doing)}"
        yield from self._conditions(task, doing)

    def _doing(self, needs: frozenset[str]) -> tuple[Role, ...]:
        """Of the suggested roles the one that does it alone, or all that do a part of it."""
        alone = [role for role in self.roles if needs <= self._reach(role)]
        return tuple(alone[:1]) or tuple(role for role in self.roles if needs & self._reach(role))

    def _enough(self, task: Task, doing: Sequence[Role]) -> str:
        titles = " and ".join(role.title for role in doing)
        return f'{titles} {"is" if len(doing) == 1 else "together are"} enough for "{task.says[0]}".'

    def _instead(self, task: Task, doing: Sequence[Role]) -> str:
        """Why it is not the role that is recommended for this task by itself."""
        usual = self.policy.roles[task.recommend]
        if usual in doing:
            return ""
        if not frozenset(task.needs) <= self._reach(usual):
            return f" {usual.title} would be, but {self._who()} cannot have it."
        return f" With it, {usual.title} is not needed."

    def _not_bigger(self, needs: frozenset[str], doing: Sequence[Role]) -> str:
        """The next role that does it too, and how much it would do beyond."""
        held = frozenset[str]().union(*(self._reach(role) for role in doing))
        for key, reached in reaches(self.policy, self.agent_kind).items():
            beyond, bigger = reached - held, self.policy.roles[key]
            if needs <= reached and beyond and bigger not in self.roles:
                things = "one more thing" if len(beyond) == 1 else f"{len(beyond)} more things"
                sensitive = ", a sensitive role," if bigger.sensitive else ""
                return f" {bigger.title}{sensitive} would do it too, and {things} that nobody asked for."
        return ""

    def _conditions(self, task: Task, doing: Sequence[Role]) -> Iterator[str]:
        for need in task.needs:
            giving = [role for role in doing if need in self._reach(role)]
            if giving and all(need in role.guards for role in giving):
                words = " or ".join(guard_words(role.guards[need]) for role in giving)
                yield f"{self.policy.permissions[need].title}: only when {words}."

    def _reach(self, role: Role) -> frozenset[str]:
        return reach(self.policy, role, self.agent_kind)

    def _who(self) -> str:
        kind = self.policy.agents.get(self.agent_kind or "")
        return a(kind.title) if kind else "an outside agent"
