"""The walk, fifth part: who may set which roles, against which version, and what a repeated request does."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from server import walk_people
from server.walk_audit import read_record
from server.walk_connecting import Company, show_engagement
from server.walk_person import Person
from server.walk_scene import (
    ENGAGEMENT,
    Practice,
    Scene,
    connect,
    engagement_now,
    hire,
    permissions_in,
    role_input,
    sees,
    set_roles,
)
from server.walk_token import issue, token_now
from server.walk_working import RECEIPT, Desk

MAPLE_RECORD = (
    *walk_people.RECORD,
    *("engagement.started", "engagement.roles_set"),  # Dana, Scheduler
    *("staff.invited", "staff.added", "staff.invited", "staff.added"),  # Sam and Max
    *("engagement.roles_set", "engagement.roles_set"),  # Dana, Manager: granted, confirmed
    *("engagement.ended", "engagement.started"),  # Bright Billing, out and in again
)


def wrong_roles(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> None:
    story, olivia = scene.story, maple.owner
    story.chapter("Roles that cannot be set")
    story.tell("Olivia mistypes a role's name.")
    wanted = role_input(engagement, "biler")
    unknown = olivia.is_refused("UnknownRole", "setRoles", "role didYouMean", **wanted)
    story.same("what she may have meant", unknown["didYouMean"][:1], ["biller"])
    story.screen(f"{unknown['message']}; did you mean {', '.join(unknown['didYouMean'])}?")
    story.tell("She tries Scheduler, which is not for billing companies.")
    wanted = role_input(engagement, "biller", "scheduler")
    refused = olivia.is_refused("RoleNotGrantable", "setRoles", "role", **wanted)
    story.same("the role that is refused", refused["role"], "scheduler")
    story.screen(refused["message"])
    story.tell("Her other device still shows the engagement as it was before. She is shown what it is now.")
    old = role_input(engagement, "auditor") | {"expectedVersion": engagement["version"] - 1}
    stale = olivia.is_refused("StaleVersion", "setRoles", f"current {{ {ENGAGEMENT} }}", **old)
    story.same("the engagement as it is now", stale["current"], engagement)
    story.screen(stale["message"])
    story.tell("She connects the company once more. It is connected already, and the token stays good.")
    token = issue(company.member, company.agent.id)
    yes = {"practiceId": maple.id, "confirmAgentId": company.agent.id, "purpose": "CONTRACTED_SERVICE"}
    standing = olivia.is_refused("AlreadyEngaged", "connectAgent", "engagement { id }", **token.typed, **yes)
    story.same("the engagement that stands", standing["engagement"]["id"], engagement["id"])
    story.same("the token", token_now(company.member, company.agent.id, token)["status"], "ISSUED")
    story.screen(standing["message"])
    story.tell("None of this has changed anything.")
    story.same("the engagement", engagement_now(olivia, engagement["id"]), engagement)


def wrong_people(
    scene: Scene, maple: Practice, desk: Desk, company: Company, billing: dict[str, Any], stranger: Person
) -> None:
    story = scene.story
    story.chapter("People who may not")
    story.tell("Sam, Maple's scheduler, tries to set Dana's roles. He is told what he lacks, and who has it.")
    wanted = role_input(desk.at_maple, "biller")
    sam = _hired(scene, maple, "Sam", "scheduler")
    missing = sam.is_refused("NotPermitted", "setRoles", "permission heldBy { key title }", **wanted)
    story.same("the missing permission", missing["permission"], "agents.set_roles")
    story.same("the roles that hold it", [role["key"] for role in missing["heldBy"]], ["manager", "owner"])
    story.screen(f"agents.set_roles is held by: {', '.join(role['title'] for role in missing['heldBy'])}")
    _agent_side(scene, desk, company, billing, wanted)
    story.tell("Grace of Northside asks for Maple Street: there is no such thing, as far as she can see.")
    story.same("the practice", (sees(stranger, maple), permissions_in(stranger, maple)), (None, []))
    story.same("the engagement", engagement_now(stranger, desk.at_maple["id"]), None)
    hidden = stranger.is_refused("NotFound", "setRoles", **wanted)["message"]
    unknown = stranger.is_refused("NotFound", "setRoles", **(wanted | {"engagementId": str(uuid4())}))["message"]
    story.same("the words for hidden and for unknown", hidden, unknown)
    story.screen(hidden)


def _agent_side(scene: Scene, desk: Desk, company: Company, billing: dict[str, Any], wanted: dict[str, Any]) -> None:
    story, ada = scene.story, company.agent.admin
    story.tell("Dana tries to give herself more, and Ada to end her company's work in the practice's name.")
    missing = desk.dana.is_refused("NotPermitted", "setRoles", "permission", **wanted)
    story.same("what Dana lacks", missing["permission"], "agents.set_roles")
    missing = ada.is_refused("NotPermitted", "revokeAgent", "permission", engagementId=billing["id"])
    story.same("what Ada lacks", missing["permission"], "agents.revoke")
    story.screen(missing["message"])


def _hired(scene: Scene, practice: Practice, name: str, role: str) -> Person:
    """Somebody of the practice's staff, who signs up and then accepts the owner's invitation."""
    person = scene.sign_up(name)
    hire(practice, person, role)
    return person


def manager_role(scene: Scene, maple: Practice, desk: Desk) -> None:
    story = scene.story
    story.chapter("Manager takes two people")
    story.tell("Max, Maple's manager, makes Dana a Manager. First he has to read the warnings.")
    max_ = _hired(scene, maple, "Max", "manager")
    wanted = role_input(desk.at_maple, "scheduler", "manager")
    warnings = max_.is_refused("WarningsNotAcknowledged", "setRoles", "warnings", **wanted)["warnings"]
    story.true("the warnings", any("sensitive" in one for one in warnings), warnings, "one about a sensitive role")
    story.same("the engagement after it", engagement_now(maple.owner, desk.at_maple["id"]), desk.at_maple)
    story.screen(*warnings)
    story.tell("He acknowledges them. Manager waits for the owner; until then Dana is a Scheduler and no more.")
    before = permissions_in(desk.dana, maple)
    waiting = set_roles(max_, desk.at_maple, "manager", "scheduler", acknowledgeWarnings=True)
    story.same("the roles' status", _status(waiting), {"manager": "PENDING_CONFIRMATION", "scheduler": "ACTIVE"})
    blockers = [(one["code"], one["waitingFor"]) for one in waiting["blockers"]]
    story.same("what is missing", blockers, [("ROLE_CONFIRMATION_PENDING", "PRACTICE")])
    story.same("Dana's permissions", permissions_in(desk.dana, maple), before)
    show_engagement(scene, waiting)
    _confirmed(scene, maple, desk, max_, waiting)


def _confirmed(scene: Scene, maple: Practice, desk: Desk, max_: Person, waiting: dict[str, Any]) -> None:
    story = scene.story
    story.tell("Max cannot confirm it himself. Olivia, the owner, can.")
    seen = {"engagementId": waiting["id"], "expectedVersion": waiting["version"]}
    missing = max_.is_refused("NotPermitted", "confirmRoles", "permission heldBy { key }", **seen)
    story.same("who may confirm", missing["heldBy"], [{"key": "owner"}])
    confirmed = maple.owner.does("confirmRoles", f"engagement {{ {ENGAGEMENT} }}", **seen)["engagement"]
    story.same("the roles' status", _status(confirmed), {"manager": "ACTIVE", "scheduler": "ACTIVE"})
    story.same("the engagement's status", (confirmed["status"], confirmed["blockers"]), ("ACTIVE", []))
    show_engagement(scene, confirmed)
    story.tell("Dana may edit CPT codes now. Who else gets in no outsider ever decides, Manager or not.")
    held = permissions_in(desk.dana, maple)
    story.true("what Dana may do", "cpt_codes.update" in held, held, "cpt_codes.update among it")
    above = [key for key in held if key.startswith(("agents.", "engagements.", "staff.", "agreements.", "audit."))]
    story.same("what no outsider may", above, [])
    desk.at_maple = confirmed


def _status(engagement: dict[str, Any]) -> dict[str, str]:
    return {grant["role"]["key"]: grant["status"] for grant in engagement["roles"]}


def sent_twice(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> None:
    story, ben, olivia = scene.story, company.member, maple.owner
    story.chapter("The same request twice")
    story.tell("An answer to Ben gets lost. He sends the request again with its key: same token, same code.")
    first = issue(ben, company.agent.id, idempotencyKey=f"token {scene.mark}")
    again = issue(ben, company.agent.id, idempotencyKey=f"token {scene.mark}")
    story.same("the second answer", again, first)
    story.tell("With another input under the same key he is refused.")
    other = {"agentId": company.agent.id, "idempotencyKey": f"token {scene.mark}", "label": "somebody else"}
    story.screen(ben.is_refused("IdempotencyConflict", "issueToken", **other)["message"])
    story.tell("Olivia ends Bright Billing, twice under one key: one receipt. With another reason, refused.")
    pressed = {"engagementId": engagement["id"], "idempotencyKey": f"end {scene.mark}"}
    receipts = [olivia.does("revokeAgent", f"receipt {{ {RECEIPT} }}", **pressed)["receipt"] for _ in range(2)]
    story.same("the second receipt", receipts[1], receipts[0])
    olivia.is_refused("IdempotencyConflict", "revokeAgent", **pressed, reason="another")
    story.tell("She connects it again with a new token, twice under one key: one engagement, nothing inherited.")
    key = f"connect {scene.mark}"
    answers = [connect(maple, first, company.agent, idempotencyKey=key) for _ in range(2)]
    story.same("the second answer", answers[1], answers[0])
    story.same("the engagement before it", answers[0]["previous"], {"id": engagement["id"], "status": "ENDED"})
    story.tell("After all this, Maple Street's record holds one event for each change, in one unbroken chain.")
    events = read_record(maple, *MAPLE_RECORD)
    story.screen(f"{len(events)} events, the last {events[-1]['hash'][:8]}: {events[-1]['summary']}")


def going_home(scene: Scene, operator: Person) -> None:
    story = scene.story
    story.chapter("Going home")
    story.tell("The operator signs out. The session is over on the server, whoever still holds its cookie.")
    kept = dict(operator.http.cookies)
    story.true("the session's cookie", bool(kept), kept, "a cookie")
    story.same("signing out", operator.ask("mutation { signOut }"), True)
    operator.http.cookies.update(kept)
    code = operator.error_code("{ viewer { user { name } } }")
    story.same("the answer afterwards", code, "NOT_SIGNED_IN")
