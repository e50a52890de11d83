"""What a practice should know before it turns roles on: warnings that must be acknowledged, in plain words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from authz.least_roles import least_roles
from authz.policy import Policy, Role, Task


def task_named(policy: Policy, words: str) -> Task | None:
    """The task with this key, or the one that people say in these words."""
    said = plainly(words)
    for task in policy.tasks.values():
        if said.replace(" ", "_") == task.key or said in map(plainly, task.says):
            return task
    return None


def plainly(words: str) -> str:
    """Without what people do not hear: capitals and further spaces."""
    return " ".join(words.lower().split())


def role_warnings(
    policy: Policy, agent_kind: str, added: Sequence[Role], tasks: Sequence[Task], *, agreement_in_force: bool
) -> tuple[str, ...]:
    """One sentence for each thing to weigh. `added` are the roles that give more than what was granted before."""
    if not added:
        return ()
    return (
        *_sensitive(added),
        *_broader(policy, agent_kind, added, tasks),
        *_agreement(policy, agent_kind, agreement_in_force),
    )


def _sensitive(added: Sequence[Role]) -> Iterator[str]:
    for role in added:
        if role.sensitive:
            yield f"{role.title} is a sensitive role. {role.hint}".strip()


def _broader(policy: Policy, agent_kind: str, added: Sequence[Role], tasks: Sequence[Task]) -> Iterator[str]:
    """A role that nothing named asks for, while the least roles that such an agent can have would do."""
    least = least_roles(policy, tasks, agent_kind)
    enough = frozenset[str]().union(*(role.permissions for role in least))
    for role in added:
        if least and not role.permissions <= enough:
            titles = " and ".join(sorted({role.title for role in least}))
            is_enough = "is" if len(least) == 1 else "are"
            yield f"{role.title} can do more than what you named; {titles} {is_enough} enough for that."


def _agreement(policy: Policy, agent_kind: str, in_force: bool) -> Iterator[str]:
    kind = policy.agents.get(agent_kind)
    if kind and kind.agreement == "recommended" and not in_force:
        yield "A business associate agreement is recommended for this agent, and none is in force."
