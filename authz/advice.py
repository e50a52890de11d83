"""What a practice should know before it turns roles on: warnings that must be acknowledged, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from authz.policy import Policy, Role, Task


def task_named(policy: Policy, words: str) -> Task | None:
    """The task with this key, or the one that people say in these words."""
    said = " ".join(words.lower().split())
    for task in policy.tasks.values():
        if said.replace(" ", "_") == task.key or said in task.says:
            return task
    return None


def role_warnings(
    policy: Policy, agent_kind: str, added: Sequence[Role], tasks: Sequence[Task], *, agreement_in_force: bool
) -> tuple[str, ...]:
    """One sentence for each thing to weigh. `added` are the roles that were not granted before."""
    if not added:
        return ()
    return (
        *_sensitive(added),
        *_broader(policy, added, tasks),
        *_agreement(policy, agent_kind, agreement_in_force),
    )


def _sensitive(added: Sequence[Role]) -> Iterator[str]:
    for role in added:
        if role.sensitive:
            yield f"{role.title} is a sensitive role. {role.hint}".strip()


def _broader(policy: Policy, added: Sequence[Role], tasks: Sequence[Task]) -> Iterator[str]:
    """A role that nothing named asks for, while the recommended roles would do."""
    recommended = [policy.roles[task.recommend] for task in tasks]
    enough = frozenset[str]().union(*(role.permissions for role in recommended))
    for role in added:
        if recommended and not role.permissions <= enough:
            titles = " and ".join(sorted({role.title for role in recommended}))
            yield f"{role.title} can do more than what you named; {titles} is enough for that."


def _agreement(policy: Policy, agent_kind: str, in_force: bool) -> Iterator[str]:
    kind = policy.agents.get(agent_kind)
    if kind and kind.agreement == "recommended" and not in_force:
        yield "A business associate agreement is recommended for this agent, and none is in force."
