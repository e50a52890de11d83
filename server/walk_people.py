"""The walk between the agreement and the work: the company says who of its people works in a practice, and who left.

The practice gives roles to the company, the company to its people, and nobody of them more than both did.
"""

from __future__ import annotations

from typing import Any

from server.walk_audit import read_record
from server.walk_connecting import Company
from server.walk_person import Person
from server.walk_scene import ENGAGEMENT, Practice, Scene, engagement_now, join, permissions_in, sees, set_roles
from server.walk_token import issue, token_now

_MEMBERS = "query ($id: ID!) { agent(id: $id) { members(first: 10) { nodes { id status admin user { email } } } } }"
_WORKS = "query ($id: ID!) { engagement(id: $id) { assignments { member { user { name } } cap { key } } } }"
_WISH = "query ($id: ID!) { engagement(id: $id) { requestedRoles { reason by { name } roles { key title } } } }"
RECORD = (
    "practice.created",
    *("engagement.started", "engagement.roles_set"),  # Bright Billing, Biller
    *("agreement.requested", "agreement.signed", "agreement.recorded"),
    *("engagement.member_assigned", "engagement.roles_requested", "engagement.roles_set"),  # Ben; Manager declined
    *("engagement.suspended", "engagement.resumed", "engagement.renewed", "engagement.reviewed"),
    *("engagement.member_assigned", "engagement.member_departed"),  # Cleo
)


def people(
    scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]
) -> tuple[dict[str, Any], Person]:
    """Returns the engagement as it is then, and Cleo, who belongs to neither side yet."""
    story, ada = scene.story, company.agent.admin
    story.chapter("The company's people")
    story.tell("Who works at Maple Street is for Ada to say: not for Olivia, nor for Ben himself.")
    wanted = {"engagementId": engagement["id"], "memberId": member_id(company, company.member)}
    for person in (maple.owner, company.member):
        refused = person.is_refused("NotPermitted", "assignMember", "permission", **wanted)
        story.same(f"what {person.name} lacks", refused["permission"], "members.assign")
    story.tell("Cleo, who belongs to neither side, is told that there is no such thing.")
    cleo = scene.sign_up("Cleo")
    story.screen(cleo.is_refused("NotFound", "assignMember", **wanted)["message"])
    story.tell("Ada means to narrow Ben to Auditor, a role that Maple Street has not turned on.")
    refused = ada.is_refused("InvalidInput", "assignMember", "field", **wanted, cap=["auditor"])
    story.same("the field that does not fit", refused["field"], "cap.0")
    story.screen(refused["message"])
    story.tell("She assigns him with no cap. He may do exactly what Biller gives; she, not assigned, nothing.")
    _assigns(company, engagement, company.member)
    story.same("who works there", ada.ask(_WORKS, id=engagement["id"])["assignments"], [_work("Ben")])
    can = _holds_biller(maple, company.member)
    story.screen("Ben can: " + "; ".join(one["title"] for one in can))
    story.same("Ada's permissions", permissions_in(ada, maple), [])
    return _wish(scene, company, maple, engagement), cleo


def _assigns(company: Company, engagement: dict[str, Any], person: Person) -> dict[str, Any]:
    """With all of the engagement's roles."""
    chosen = {"engagementId": engagement["id"], "memberId": member_id(company, person)}
    answer = company.agent.admin.does("assignMember", f"engagement {{ {ENGAGEMENT} }}", **chosen)
    changed: dict[str, Any] = answer["engagement"]
    person.story.same("the engagement's status", (changed["status"], changed["blockers"]), ("ACTIVE", []))
    return changed


def _work(name: str) -> dict[str, Any]:
    return {"member": {"user": {"name": name}}, "cap": None}


def _holds_biller(practice: Practice, person: Person) -> list[dict[str, Any]]:
    """The role's permissions, which have to be the person's, no more and no less."""
    role: list[dict[str, Any]] = person.ask('{ role(key: "biller") { permissions { key title } } }')["permissions"]
    held = permissions_in(person, practice)
    person.story.same(f"{person.name}'s permissions", held, sorted(one["key"] for one in role))
    return role


def _wish(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> dict[str, Any]:
    story, ada = scene.story, company.agent.admin
    story.tell("Ada asks for Scheduler, too, which no billing company can have.")
    asked = {"engagementId": engagement["id"], "roles": ["biller", "scheduler"], "reason": "we keep the CPT codes"}
    refused = ada.is_refused("RoleNotGrantable", "requestRoles", "role", **asked)
    story.same("the role that is refused", refused["role"], "scheduler")
    story.tell("She asks for Manager, to edit CPT codes. It is a wish, and gives nobody anything.")
    asked["roles"] = ["biller", "manager"]
    ada.does("requestRoles", "engagement { id }", **asked)
    _holds_biller(maple, company.member)
    story.tell("Olivia sees the wish. She declines by setting the roles that there are.")
    wish = maple.owner.ask(_WISH, id=engagement["id"])["requestedRoles"]
    seen = (wish["by"]["name"], wish["reason"], [role["key"] for role in wish["roles"]])
    story.same("the wish that Olivia sees", seen, ("Ada", "we keep the CPT codes", ["biller", "manager"]))
    story.screen(f"{wish['by']['name']} asks for {' and '.join(each['title'] for each in wish['roles'])}: {seen[1]}")
    declined = set_roles(maple.owner, engagement_now(maple.owner, engagement["id"]), "biller")
    story.same("the wish that is left", ada.ask(_WISH, id=engagement["id"]), {"requestedRoles": None})
    return declined


def somebody_leaves(
    scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any], cleo: Person
) -> dict[str, Any]:
    """Cleo, because Ben is needed in every chapter that follows."""
    story, ada = scene.story, company.agent.admin
    story.chapter("Somebody leaves")
    story.tell("Cleo joins the company. Ada assigns her to Maple Street, and she has a token ready to read out.")
    join(company.agent, cleo)
    _assigns(company, engagement, cleo)
    _holds_biller(maple, cleo)
    token = issue(cleo, company.agent.id)
    story.tell("She leaves the company. Before Ada reads that it is done, Cleo is out wherever she worked.")
    departing = {"memberId": member_id(company, cleo)}
    left = ada.does("departMember", "practicesNotified member { status }", **departing)
    story.same("what Cleo may do and see", (permissions_in(cleo, maple), sees(cleo, maple)), ([], None))
    story.same("Cleo, and practices told", (left["member"], left["practicesNotified"]), ({"status": "DEPARTED"}, 1))
    story.same("her token", token_now(ada, company.agent.id, token)["status"], "CANCELLED")
    story.screen(cleo.is_refused("NotFound", "issueToken", agentId=company.agent.id)["message"])
    story.tell("Ben goes on working. Maple Street's record has it already: nobody had to send word.")
    _holds_biller(maple, company.member)
    last = read_record(maple, *RECORD)[-1]
    story.same("who told the practice", (last["party"], last["engagementId"]), ("AGENT", engagement["id"]))
    story.screen(f"{last['actor']}: {last['summary']}")
    story.tell("Ada wants to go, too. She is the last administrator, and somebody has to let the next one in.")
    refused = ada.is_refused("InvalidInput", "departMember", "field", memberId=member_id(company, ada))
    story.screen(refused["message"])
    now: dict[str, Any] = engagement_now(maple.owner, engagement["id"])
    return now


def member_id(company: Company, person: Person) -> str:
    """As the company's administrator finds it."""
    members = company.agent.admin.ask(_MEMBERS, id=company.agent.id)["members"]["nodes"]
    return next((str(one["id"]) for one in members if one["user"]["email"] == person.email), "")
