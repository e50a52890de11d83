"""The walk when a company leaves by itself, and what both sides keep of an engagement that is over."""

from __future__ import annotations

from typing import Any

from server.walk_connecting import Company
from server.walk_person import Person
from server.walk_scene import Practice, Scene, engagement_now, permissions_in
from server.walk_working import RECEIPT

_CLIENTS = """query ($id: ID!) { agent(id: $id) { engagements(first: 10, status: [AWAITING_ROLES]) {
    totalCount nodes { id practice { name } }
} } }"""
_RECEIPT = f"query ($id: ID!) {{ engagement(id: $id) {{ receipt {{ {RECEIPT} }} }} }}"


def company_leaves(scene: Scene, company: Company, harbour: Practice, maple: Practice, ended: dict[str, Any]) -> None:
    """`ended` is the company's engagement at Maple Street that Olivia ended."""
    story, ada, harriet = scene.story, company.agent.admin, harbour.owner
    story.chapter("The company leaves by itself")
    clients = ada.ask(_CLIENTS, id=company.agent.id)["engagements"]["nodes"]
    waiting = {client["practice"]["name"]: client["id"] for client in clients}
    story.true("clients that never began", harbour.name in waiting, sorted(waiting), f"{harbour.name} among them")
    leaving = {"engagementId": waiting[harbour.name], "reason": "never began"}
    story.tell("Harbour never gave Bright Billing a role. To leave is Ada's to say, not Harriet's, nor Ben's.")
    for person in (harriet, company.member):
        refused = person.is_refused("NotPermitted", "leavePractice", "permission", **leaving)
        story.same(f"what {person.name} lacks", refused["permission"], "engagements.leave")
    story.tell("Ada leaves, and nobody has to agree. Harriet's screen says who ended it.")
    left = ada.does("leavePractice", f"receipt {{ {RECEIPT} }} engagement {{ status }}", **leaving)
    now = engagement_now(harriet, leaving["engagementId"])
    story.same("the engagement as Harriet sees it", (now["status"], now["endReason"]), ("ENDED", "LEFT_BY_AGENT"))
    story.same("who may do anything there", permissions_in(company.member, harbour), [])
    story.same("the receipt is by", left["receipt"]["by"], "Ada")
    story.screen(f"{now['status']}: {now['endReason']}")
    story.tell("Harriet presses the red button all the same: it was over, and she gets Ada's receipt.")
    pressed = harriet.does("revokeAgent", f"receipt {{ {RECEIPT} }}", engagementId=leaving["engagementId"])
    story.same("the receipt", pressed["receipt"], left["receipt"])
    _receipts(scene, (ada, harriet), leaving["engagementId"], left["receipt"])
    _receipt_of_maple(scene, company, maple, harriet, ended)


def _receipts(scene: Scene, people: tuple[Person, ...], engagement_id: str, expected: dict[str, Any]) -> None:
    for person in people:
        found = person.ask(_RECEIPT, id=engagement_id)["receipt"]
        scene.story.same(f"the receipt as {person.name} fetches it", found, expected)


def _receipt_of_maple(scene: Scene, company: Company, maple: Practice, stranger: Person, ended: dict[str, Any]) -> None:
    story = scene.story
    story.tell("Of Maple Street, too, both sides fetch the receipt again, whenever they like; Harriet cannot.")
    kept = maple.owner.ask(_RECEIPT, id=ended["id"])["receipt"]
    cut = {"by": "Olivia", "rolesRemoved": ["biller"], "membersCut": 1, "engagementId": ended["id"]}
    story.same("the receipt", {name: kept[name] for name in cut}, cut)
    _receipts(scene, (maple.owner, company.agent.admin), ended["id"], kept)
    story.same("the receipt as Harriet sees it", stranger.ask(_RECEIPT, id=ended["id"]), None)
    story.screen(f"receipt by {kept['by']}; roles removed: {', '.join(kept['rolesRemoved'])}; people cut: 1")
    story.screen(*(f"still owed: {duty}" for duty in kept["duties"]))
