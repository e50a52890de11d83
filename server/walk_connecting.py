"""The walk, first part: a billing company registers, is verified, and is connected to a practice by telephone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.walk_person import Person
from server.walk_scene import (
    Agent,
    Practice,
    Scene,
    connect,
    found,
    permissions_in,
    preview,
    register,
    set_roles,
    sign_in,
    verify,
)
from server.walk_token import Token, issue, token_now

NOT_FOR_BILLERS = ("schedule.write", "insurance.settings.update", "cpt_codes.update", "clinical_notes.read")


@dataclass(frozen=True)
class Company:
    """The billing company: its admin is Ada, its member is Ben, the operator has verified it."""

    agent: Agent
    member: Person


def verification(scene: Scene, operator_email: str, operator_password: str) -> tuple[Person, Company]:
    story = scene.story
    story.chapter("A billing company registers, and the platform verifies it")
    story.tell("Ada signs up and registers her company, Bright Billing.")
    ada = scene.sign_up("Ada")
    agent = register(ada, "BILLING_COMPANY", "Bright Billing", "Dayton")
    story.screen("Bright Billing, billing company, Dayton: REGISTERED, not verified yet")
    story.tell("She asks for a connect token at once, and is refused: nobody has verified her company.")
    story.screen(ada.is_refused("AgentNotActive", "issueToken", agentId=agent.id)["message"])
    story.tell("She cannot verify it herself, either.")
    missing = ada.is_refused("NotPermitted", "verifyAgent", "permission heldBy { key }", agentId=agent.id)
    story.same("who may verify", (missing["permission"], missing["heldBy"]), ("agents.verify", [{"key": "operator"}]))
    story.tell("The platform's operator signs in, checks name and address, and verifies the company.")
    operator = sign_in(scene, "Operator", operator_email, operator_password)
    verify(operator, agent)
    story.screen("Bright Billing: ACTIVE")
    return operator, Company(agent, _invited(scene, agent))


def _invited(scene: Scene, agent: Agent) -> Person:
    """Ben, who has no account when he is invited."""
    story = scene.story
    story.tell("Ada invites Ben, who has no account yet, and hands him the code that she is shown once.")
    typed = {"agentId": agent.id, "email": "ben@bright.example", "name": "Ben"}
    invited = agent.admin.does("inviteMember", "code invitation { status admin email }", **typed)
    offer = {"status": "OPEN", "admin": False, "email": "ben@bright.example"}
    story.same("the invitation", invited["invitation"], offer)
    story.tell("Ben signs up under an address of his own, sees who invites him to what, and accepts.")
    ben = scene.sign_up("Ben")
    card = ben.does("previewInvitation", "card { invitedBy agentName }", code=invited["code"])["card"]
    story.same("who invites Ben", card, {"invitedBy": "Ada", "agentName": "Bright Billing"})
    story.screen(f"{card['invitedBy']} invites you to work for {card['agentName']}")
    ben.does("acceptInvitation", "member { status }", code=invited["code"])
    mine = ben.ask("{ viewer { memberOf(first: 10) { nodes { status agent { id } } } } }")["memberOf"]["nodes"]
    story.same("the agents Ben works for", mine, [{"status": "ACTIVE", "agent": {"id": agent.id}}])
    return ben


def telephone(scene: Scene, company: Company) -> Token:
    story = scene.story
    story.chapter("A token is read out on the telephone")
    story.tell("Ben is on the phone with a practice and presses 'issue token'. He sees letters and a code.")
    token = issue(company.member, company.agent.id, externalRef="client 7")
    story.screen(f"letters    {token.letters}    {', '.join(token.spoken)}")
    story.screen(f"code       {token.code}", "countdown  10:00    5 attempts remain")
    return token


def first_connection(scene: Scene, company: Company, token: Token) -> tuple[Practice, dict[str, Any]]:
    story = scene.story
    story.chapter("The practice sees who is calling, and only then says yes")
    story.tell("Olivia signs up and opens her practice, Maple Street Therapy. She is its owner.")
    maple = found(scene.sign_up("Olivia"), "Maple Street Therapy", "INDEPENDENT_THERAPIST")
    story.tell("She types letters and code as she hears them, and sees whose they are. Nothing is granted.")
    show_card(scene, maple, token, company.agent, practices=0, agreement="REQUIRED", kind="BILLING_COMPANY")
    story.same("engagements after the preview", _engagements(maple), 0)
    story.tell("She presses the button with that name. Bright Billing is connected, and can do nothing.")
    engagement = connect(maple, token, company.agent)
    show_engagement(scene, engagement)
    nobody = {"MEMBER_NOT_ASSIGNED": "AGENT"}
    _expect_blockers(scene, engagement, {"NO_ROLES": "PRACTICE", "AGREEMENT_MISSING": "AGENT"} | nobody)
    story.same("engagements after the connection", _engagements(maple), 1)
    story.tell("Ben sees that his token was used. He and Ada hold no permission in the practice.")
    state = token_now(company.member, company.agent.id, token)["status"]
    story.same("the used token's status", state, "CONSUMED")
    document = "query ($id: ID!) { engagement(id: $id) { externalRef } }"
    refs = [person.ask(document, id=engagement["id"])["externalRef"] for person in (company.member, maple.owner)]
    story.same("the company's client number, for Ben and for Olivia", refs, ["client 7", None])
    expect_nothing(scene, company, maple)
    return maple, engagement


def show_card(
    scene: Scene, practice: Practice, token: Token, agent: Agent, *, practices: int, agreement: str, kind: str
) -> dict[str, Any]:
    """Preview and check the agent's card; returns the whole answer."""
    answer = preview(practice, token)
    card, story = answer["agent"], scene.story
    known = {"agentId": agent.id, "legalName": agent.name, "kind": kind, "city": agent.city, "verified": True}
    story.same("who the card names", {name: card[name] for name in known}, known)
    story.same("how many practices it serves", card["practiceCount"], practices)
    story.same("the agreement it needs", card["agreementRequirement"], agreement)
    words = kind.replace("_", " ").lower()
    story.screen(f"{card['legalName']} (verified), {words}, {card['city']}, {card['phone']}")
    story.screen(f"practices it works for: {practices}; business associate agreement: {agreement.lower()}")
    story.screen(*card["warnings"])
    return answer


def show_engagement(scene: Scene, engagement: dict[str, Any]) -> None:
    roles = ", ".join(one["role"]["title"] for one in engagement["roles"]) or "none"
    scene.story.screen(f"{engagement['status']}; roles: {roles}; permissions: {len(engagement['permissions'])}")
    for blocker in engagement["blockers"]:
        scene.story.screen(f"waits for the {blocker['waitingFor'].lower()}: {blocker['message']}")


def expect_nothing(scene: Scene, company: Company, practice: Practice) -> None:
    for person in (company.agent.admin, company.member):
        scene.story.same(f"{person.name}'s permissions", permissions_in(person, practice), [])


def _expect_blockers(scene: Scene, engagement: dict[str, Any], expected: dict[str, str]) -> None:
    blockers = {one["code"]: one["waitingFor"] for one in engagement["blockers"]}
    scene.story.same("what is missing, and who has to act", blockers, expected)


def _engagements(practice: Practice) -> Any:
    document = "query ($id: ID!) { practice(id: $id) { engagements(first: 1) { totalCount } } }"
    return practice.owner.ask(document, id=practice.id)["engagements"]["totalCount"]


def roles_screen(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> dict[str, Any]:
    story = scene.story
    story.chapter("The roles screen")
    story.tell("Olivia reads which roles an outside agent can have, and for whom each is meant.")
    fields = "key title hint sensitive grantableToAgents permissions { key title }"
    roles = maple.owner.ask(f"{{ roles(grantableToAgents: true) {{ {fields} }} }}")
    story.same("roles for agents", [role["key"] for role in roles], ["auditor", "biller", "manager", "scheduler"])
    for role in roles:
        story.true(f"{role['title']}'s hint", bool(role["hint"]) and role["grantableToAgents"], role, "a hint")
        story.screen(f"{role['title']}: {role['hint']}")
    _show_reach(scene, maple.owner, next(role for role in roles if role["key"] == "biller"))
    story.tell("She turns on Biller. Still nothing is permitted, and the screen says who has to act next.")
    engagement = set_roles(maple.owner, engagement, "biller")
    story.same("the engagement's status", engagement["status"], "AWAITING_AGREEMENT")
    story.same("its permissions", engagement["permissions"], [])
    story.same("its agreement", engagement["agreement"], {"requirement": "REQUIRED", "state": "NONE"})
    _expect_blockers(scene, engagement, {"AGREEMENT_MISSING": "AGENT", "MEMBER_NOT_ASSIGNED": "AGENT"})
    show_engagement(scene, engagement)
    expect_nothing(scene, company, maple)
    return engagement


def _show_reach(scene: Scene, owner: Person, biller: dict[str, Any]) -> None:
    """What Biller can and cannot do, in the policy's own words for people."""
    story = scene.story
    story.tell("The company is to submit claims, so she looks at Biller: what it will do, and what it will not.")
    titles = {one["key"]: one["title"] for one in owner.ask("{ policy { permissions { key title } } }")["permissions"]}
    can = {one["key"]: one["title"] for one in biller["permissions"]}
    story.true("what a biller can do", "claims.submit" in can, sorted(can), "claims.submit among it")
    none = f"none of {', '.join(NOT_FOR_BILLERS)}"
    story.true("what a biller cannot do", can.keys().isdisjoint(NOT_FOR_BILLERS), sorted(can), none)
    story.screen("can:    " + "; ".join(can.values()))
    story.screen("cannot: " + "; ".join(titles[key] for key in NOT_FOR_BILLERS))
