"""The shape of each kind of file, as JSON Schema.

The readers (`authz/*document*.py`) are the authority; a test holds that both know the same keys.
"""

from __future__ import annotations

from authz.assertion_document import AGREEMENTS as AGREEMENT_STATES
from authz.assertion_document import DAY, INSTANT, REASONS
from authz.documents import AGREEMENTS, ENFORCED, PRACTICE_KINDS, PROPERTY_TYPES
from authz.editor_parts import NEW_KEY, VALUE, Schema, choice, entries, file, flag, listed, record, ref, text, whole
from authz.policy import EFFECTS, HELD_BY, LIMITS, SECOND_FACTOR, Policy
from authz.settings_document import LONGEST, MOST_HOLDERS
from authz.shape import KEY, PERMISSION, PROPERTY


def kinds(policy: Policy) -> dict[str, Schema]:
    """Kind → what a file of that kind holds."""
    catalogue = entries(PERMISSION.pattern, _permission(), "The permissions of one area.")
    tasks = entries(KEY.pattern, _task(), "What people say, and the least role that does it.")
    return {
        "policy": _policy(),
        "permissions": file("permissions", permissions=catalogue),
        "role": _role(policy),
        "agents": _agents(),
        "promises": _promises(),
        "hints": file("tasks", tasks=tasks),
        "tests": _tests(),
    }


def _policy() -> Schema:
    tokens = {
        "ttl_minutes": whole(1, 60, "How long a connect token lives."),
        "attempts": whole(1, 100, "How many wrong tries void it."),
    }
    engagements = {
        "default_days": whole(1, LONGEST, "How long an engagement lasts unless the practice says otherwise."),
        "max_days": whole(1, LONGEST, "The longest it may be made."),
        "notice_days": listed(whole(0, LONGEST, "Days before the end."), "When both sides are told of the end.", 1),
        "grace_days": whole(0, 365, "How long an ended engagement can be renewed."),
    }
    reviews = {
        "default_days": whole(1, LONGEST, "How often access is reviewed; a role can ask for more."),
        "overdue_days": whole(0, 365, "How late a review may be."),
    }
    return file(
        "name version sensitivities tokens engagements reviews training",
        name=text("The name of the set."),
        version=text("For people; the identity of a set is the digest of its meaning."),
        sensitivities=listed(NEW_KEY, "From least to most.", 1),
        tokens=record("ttl_minutes attempts", tokens),
        engagements=record("default_days max_days notice_days grace_days", engagements),
        reviews=record("default_days overdue_days", reviews),
        training=record("months", {"months": whole(1, 120, "How long HIPAA training counts.")}),
        sign_in=record("second_factor", {"second_factor": choice(SECOND_FACTOR, "Whose sign-in needs one.")}),
        limits=record("", dict.fromkeys(LIMITS, whole(0, MOST_HOLDERS, "People.")), "What a change may do unapproved."),
    )


def _permission() -> Schema:
    types = choice(PROPERTY_TYPES, "What type the property has.")
    properties = {
        "title": text("What it lets people do, as an interface shows it."),
        "sensitivity": ref("sensitivity", "How much what it opens needs protection."),
        "effect": choice(EFFECTS, "Wildcards never reach what is destructive or admin."),
        "needs": listed(ref("permission"), "A role that holds it must hold these too; they do not come along."),
        "properties": entries(PROPERTY.pattern, types, "What guards may look at."),
        "wildcard": flag("false: only by name, never through a wildcard."),
    }
    return record("title sensitivity effect", properties)


def _role(policy: Policy) -> Schema:
    wildcard = {"type": "string", "pattern": r"\.\*$"}
    return file(
        "title held_by sensitivity_max",
        title=text("The role's name for people; its key is the name of the file."),
        held_by=listed(choice(HELD_BY, "Who can hold it."), "Who can hold it.", 1),
        granted_by=listed(ref("role"), "Whose holders may give it. Empty: nobody, through the API."),
        sensitive=flag("Granting it takes a step-up and a confirmation."),
        root=flag("Outside the claims about separation of duty and escalation."),
        hint=text("What it is good for, shown where roles are chosen."),
        sensitivity_max=ref("sensitivity", "The role never holds anything above."),
        includes=listed(ref("role"), "Holds everything that these roles hold."),
        without=listed({"anyOf": [ref("grant"), wildcard]}, "Drops something inherited, in this role alone."),
        grants=listed(ref("grant"), "What the role gives. A wildcard leaves out what must be named."),
        guards=_guards(policy),
        review_days=whole(1, LONGEST, "How often a holder is reviewed."),
        tests=listed(_test("held_by"), "Tests about whoever holds this role."),
    )


def _guards(policy: Policy) -> Schema:
    """Permission → its conditions; only what declares properties can have a guard."""
    guarded = {key: list(found.properties) for key, found in sorted(policy.permissions.items()) if found.properties}
    clauses = {key: listed(_clause(names), policy.permissions[key].title, 1) for key, names in guarded.items()}
    return record("", clauses, "Conditions under which the role gives a permission; all of a list must hold.")


def _clause(names: list[str]) -> Schema:
    operators = {
        "eq": VALUE,
        "in": listed(VALUE, "One of these."),
        "not_in": listed(VALUE, "None of these."),
        "lte": {"type": "number"},
        "gte": {"type": "number"},
    }
    one = record("property", {"property": choice(names, "What the condition looks at."), **operators})
    one = {**one, "minProperties": 2, "maxProperties": 2}
    several = record("any", {"any": listed(one, "One of these is enough.", 1)})
    return {"if": {"required": ["any"]}, "then": several, "else": one}


def _agents() -> Schema:
    kind = {
        "title": text("The kind's name for people."),
        "agreement": choice(AGREEMENTS, "Is a business associate agreement needed before anything is allowed?"),
        "agreement_required_from": ref("sensitivity", "From here on it is required, where it is else recommended."),
        "sensitivity_max": ref("sensitivity", "An agent of this kind never has anything above."),
        "roles": listed(ref("agent_role"), "The roles that it can be given."),
    }
    redirect = {
        "practice_kind": choice(PRACTICE_KINDS, "Which practices."),
        "agent_kind": ref("agent_kind"),
        "to": choice(["staff_account"], "Where they are sent instead."),
        "override": choice(["not_my_employee"], "What they confirm to go on nevertheless."),
    }
    kinds = entries(KEY.pattern, record("title agreement sensitivity_max roles", kind), "The kinds of outsider.")
    redirects = listed(record("practice_kind agent_kind to override", redirect), "Who belongs elsewhere.")
    return file("agents", agents=kinds, redirects=redirects)


def _promises() -> Schema:
    promise = {
        "held_by": choice(HELD_BY, "Who never has them. For agents this is their ceiling."),
        "permissions": listed(ref("permission"), "What they never have."),
        "because": text("Why; the message says it when the promise breaks."),
    }
    separation = {
        "id": NEW_KEY,
        "permissions": listed(ref("permission"), "What must not come together."),
        "at_most": {"type": "integer", "minimum": 1, "description": "How many of them one holder may have."},
        "enforced": choice(ENFORCED, "at_grant: not proven for roles put together, refused when they are granted."),
        "because": text("Why; the message says it when the separation breaks."),
    }
    return file(
        "",
        never=listed(record("held_by permissions because", promise), "Promises that outlive every edit of a role."),
        separation_of_duty=listed(record("id permissions at_most because", separation), "What takes two people."),
        no_escalation=flag("Prove that nobody can bring about, by granting, what they do not hold."),
    )


def _task() -> Schema:
    properties = {
        "says": listed(ref("text"), "How people name the task."),
        "needs": listed(ref("permission"), "What it takes."),
        "recommend": ref("role", "The least role that does it."),
    }
    return record("says needs recommend", properties)


def _tests() -> Schema:
    subjects = entries(KEY.pattern, _subject(), "Whom the tests are about.")
    return file("tests", subjects=subjects, tests=listed(_test("subject"), "What must be allowed or denied."))


def _subject() -> Schema:
    day = {"type": "string", "pattern": f"^(?:{DAY.pattern})$"}
    days = record("effective_on", {"effective_on": day, "expires_on": day})
    states = choice(AGREEMENT_STATES, "in_force or none, or its days.")
    properties = {
        "kind": ref("agent_kind", "The kind of agent; makes the subject one."),
        "held_by": choice(HELD_BY, "What the subject is, unless it is an agent."),
        "roles": listed(ref("role"), "The roles that it was given."),
        "agreement": {"if": {"type": "object"}, "then": days, "else": states},
        "expires_at": _instant("When the engagement ends."),
        "active": flag("Is everything active: the engagement, the agent, the practice?"),
        "assigned": flag("Is the member assigned to the engagement?"),
        "second_factor": flag("Was one given at sign-in?"),
        "cap": listed(ref("role"), "The roles that the assignment is narrowed to."),
        "scopes": listed(ref("permission"), "What the API key carries."),
    }
    other = {"required": ["held_by"], "properties": {"held_by": {"not": {"const": "agent"}}}}
    return {**record("roles", properties), "anyOf": [{"required": ["kind"]}, other]}


def _test(whom: str) -> Schema:
    about = NEW_KEY if whom == "subject" else choice(HELD_BY, "As which holder; the first of the role's by default.")
    properties = {
        "name": text("What the test says, as a sentence."),
        whom: about,
        "allow": listed(ref("permission"), "Each of these is allowed."),
        "deny": listed(ref("permission"), "Each of these is denied."),
        "exactly": listed(ref("permission"), "These are allowed and nothing else is."),
        "breaks": listed(ref("separation"), "The separations that the roles break together."),
        "because": choice(REASONS, "Why it is denied."),
        "with": {"type": "object", "propertyNames": {"pattern": f"^(?:{PROPERTY.pattern})$"}},
        "at": _instant("When: a day, or an instant such as 2026-06-30T09:00Z."),
    }
    asserted = [{"required": [key]} for key in ("allow", "deny", "exactly", "breaks")]
    return {**record("name subject" if whom == "subject" else "name", properties), "anyOf": asserted}


def _instant(description: str) -> Schema:
    return {"type": "string", "pattern": f"^(?:{INSTANT.pattern})$", "description": description}
