"""The walk, second part: a front-office worker works in two practices, loses one of them, and comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from server.walk_audit import read_record
from server.walk_connecting import show_card, show_engagement
from server.walk_person import Person
from server.walk_scene import (
    Agent,
    Practice,
    Scene,
    connect,
    engagement_now,
    found,
    permissions_in,
    register,
    role_input,
    sees,
    set_roles,
    verify,
)
from server.walk_token import Token, issue, token_now

NEVER_FOR_DANA = {"claims.read", "payments.read", "clinical_notes.read", "agents.connect", "staff.read", "audit.read"}
RECEIPT = "id engagementId by rolesRemoved membersCut apiKeysCut subscriptionsClosed tokensCancelled duties auditHash"


@dataclass
class Desk:
    """Dana, who works the front desk of several practices, and where she is connected."""

    agent: Agent
    harbour: Practice
    at_harbour: dict[str, Any]
    at_maple: dict[str, Any]
    first_token: Token

    @property
    def dana(self) -> Person:
        return self.agent.admin


def front_office(scene: Scene, operator: Person, maple: Practice) -> Desk:
    story = scene.story
    story.chapter("A front-office worker starts in a shared office")
    story.tell("Dana registers as a front-office worker and is verified. Harriet opens Harbour Counselling.")
    dana = scene.sign_up("Dana")
    agent = register(dana, "FRONT_OFFICE_WORKER", "Front Desk by Dana", "Salem")
    verify(operator, agent)
    harbour = found(scene.sign_up("Harriet"), "Harbour Counselling", "SHARED_OFFICE_MEMBER")
    story.tell("Dana reads out a token. Harriet sees who it is, and connects her: no role, no permission.")
    token = issue(dana, agent.id, externalRef="harbour")
    show_card(scene, harbour, token, agent, practices=0, agreement="RECOMMENDED", kind="FRONT_OFFICE_WORKER")
    engagement = connect(harbour, token, agent, purpose="SHARED_FRONT_OFFICE")
    story.same("Dana's permissions before any role", permissions_in(dana, harbour), [])
    at_harbour = _warned(scene, harbour, engagement)
    _works(scene, dana, harbour, at_harbour)
    at_maple = _second_practice(scene, agent, harbour, maple)
    return Desk(agent, harbour, at_harbour, at_maple, token)


def _warned(scene: Scene, practice: Practice, engagement: dict[str, Any]) -> dict[str, Any]:
    """Scheduler, first without and then with the warning acknowledged."""
    story = scene.story
    story.tell("Harriet turns on Scheduler. There is a warning to read first, and nothing has changed yet.")
    wanted = role_input(engagement, "scheduler")
    warnings = practice.owner.is_refused("WarningsNotAcknowledged", "setRoles", "warnings", **wanted)["warnings"]
    about_agreement = len(warnings) == 1 and "agreement is recommended" in warnings[0]
    story.true("the warnings", about_agreement, warnings, "one, that an agreement is recommended")
    story.screen(*warnings)
    now = engagement_now(practice.owner, engagement["id"])
    story.same("version and roles after it", (now["version"], now["roles"]), (engagement["version"], []))
    story.tell("She acknowledges it. The engagement is ACTIVE.")
    changed = set_roles(practice.owner, engagement, "scheduler", acknowledgeWarnings=True)
    story.same("the engagement's status", (changed["status"], changed["blockers"]), ("ACTIVE", []))
    show_engagement(scene, changed)
    return changed


def _works(scene: Scene, dana: Person, practice: Practice, engagement: dict[str, Any]) -> None:
    """Exactly the role's permissions, for the person and for the engagement."""
    story = scene.story
    story.tell(f"Dana sees {practice.name} now, and may do there exactly what Scheduler gives.")
    story.same("the practice as Dana sees it", sees(dana, practice), {"name": practice.name})
    role = dana.ask('{ role(key: "scheduler") { permissions { key title } } }')["permissions"]
    held = permissions_in(dana, practice)
    story.same("Dana's permissions", held, sorted(one["key"] for one in role))
    story.same("the engagement's permissions", engagement["permissions"], role)
    story.true("what Dana may do", "schedule.write" in held, held, "schedule.write among it")
    story.true("what Dana may not do", not NEVER_FOR_DANA & set(held), held, f"none of {sorted(NEVER_FOR_DANA)}")
    story.screen("can: " + "; ".join(one["title"] for one in role))


def _second_practice(scene: Scene, agent: Agent, harbour: Practice, maple: Practice) -> dict[str, Any]:
    story = scene.story
    story.tell("Olivia of Maple Street connects her, too. The card counts Dana's practices and names none.")
    token = issue(agent.admin, agent.id)
    answer = show_card(scene, maple, token, agent, practices=1, agreement="RECOMMENDED", kind="FRONT_OFFICE_WORKER")
    story.true("other practices on the card", harbour.name not in str(answer), answer, f"no word of {harbour.name}")
    engagement = connect(maple, token, agent, purpose="SHARED_FRONT_OFFICE")
    engagement = set_roles(maple.owner, engagement, "scheduler", acknowledgeWarnings=True)
    query = "query ($id: ID!) { agent(id: $id) { engagements(first: 10) { totalCount nodes { practice { name } } } } }"
    seen = maple.owner.ask(query, id=agent.id)["engagements"]["nodes"]
    story.same("Dana's practices as Olivia sees them", seen, [{"practice": {"name": maple.name}}])
    mine = agent.admin.ask("{ practices(first: 10) { totalCount nodes { name } } }")["nodes"]
    story.same("Dana's practices", [one["name"] for one in mine], [maple.name, harbour.name])
    return engagement


def record(scene: Scene, desk: Desk) -> None:
    story = scene.story
    story.chapter("Everything is written down")
    story.tell("Harriet reads her practice's record: one event for each change, none for what the rules refused.")
    events = read_record(desk.harbour, "practice.created", "engagement.started", "engagement.roles_set")
    story.same("who acted", [(one["actor"], one["party"]) for one in events], [("Harriet", "PRACTICE")] * 3)
    concerned = [one["engagementId"] for one in events]
    story.same("the engagement they concern", concerned, [None, desk.at_harbour["id"], desk.at_harbour["id"]])
    roles = (events[2]["before"]["roles"], events[2]["after"]["roles"])
    story.same("the roles before and after", roles, ([], ["scheduler"]))
    story.same("the warnings kept", len(events[2]["after"]["warnings_acknowledged"]), 1)
    for event in events:
        story.screen(f"{event['previousHash'][:8]} > {event['hash'][:8]}  {event['actor']}: {event['summary']}")
    story.tell("Each event carries the hash of the one before it, and the digest of the policy in force.")
    story.screen(f"policy {events[0]['policyDigest']}")


def red_button(scene: Scene, desk: Desk) -> None:
    story, owner, dana = scene.story, desk.harbour.owner, desk.dana
    story.chapter("The red button")
    story.tell("Dana still holds an unused token. Harriet ends the engagement: one button, nobody's consent.")
    unused = issue(dana, desk.agent.id, externalRef="harbour")
    pressed = {"engagementId": desk.at_harbour["id"], "reason": "services ended"}
    answer = owner.does("revokeAgent", f"receipt {{ {RECEIPT} }} engagement {{ status endReason }}", **pressed)
    story.same("practice and permissions that Dana has left", (sees(dana, desk.harbour), _held(desk)), (None, []))
    _check_receipt(scene, desk, answer)
    story.tell("Dana has lost the practice at once. Her screen says why, and her unused token is cancelled.")
    mine = engagement_now(dana, desk.at_harbour["id"])
    story.same("the engagement as Dana sees it", (mine["status"], mine["endReason"]), ("ENDED", "REVOKED_BY_PRACTICE"))
    story.same("its roles and permissions", (mine["roles"], mine["permissions"]), ([], []))
    story.same("her unused token", token_now(dana, desk.agent.id, unused)["status"], "CANCELLED")
    story.screen(f"{mine['status']}: {mine['endReason']}")
    _elsewhere_untouched(scene, desk)
    _pressed_again(scene, desk, answer["receipt"])


def _held(desk: Desk) -> list[str]:
    return permissions_in(desk.dana, desk.harbour)


def _check_receipt(scene: Scene, desk: Desk, answer: dict[str, Any]) -> None:
    story, receipt = scene.story, answer["receipt"]
    story.same("the engagement", answer["engagement"], {"status": "ENDED", "endReason": "REVOKED_BY_PRACTICE"})
    cut = {"rolesRemoved": ["scheduler"], "membersCut": 1, "apiKeysCut": 0, "subscriptionsClosed": 0}
    expected = cut | {"tokensCancelled": 1, "by": "Harriet", "engagementId": desk.at_harbour["id"]}
    story.same("the receipt", {name: receipt[name] for name in expected}, expected)
    owed = " ".join(receipt["duties"])
    story.true("the duties that are left", "returns or destroys" in owed, owed, "return or destroy health information")
    types = ("practice.created", "engagement.started", "engagement.roles_set", "engagement.ended")
    story.same("the receipt's hash", receipt["auditHash"], read_record(desk.harbour, *types)[-1]["hash"])
    story.screen(f"receipt by {receipt['by']}; roles removed: {', '.join(receipt['rolesRemoved'])}")
    story.screen(f"people cut: {receipt['membersCut']}; unused tokens cancelled: {receipt['tokensCancelled']}")
    story.screen(*(f"still owed: {duty}" for duty in receipt["duties"]))


def _elsewhere_untouched(scene: Scene, desk: Desk) -> None:
    story = scene.story
    story.tell("Her other practice is untouched.")
    other = engagement_now(desk.dana, desk.at_maple["id"])
    story.same("the other engagement", other, desk.at_maple)


def _pressed_again(scene: Scene, desk: Desk, receipt: dict[str, Any]) -> None:
    story = scene.story
    story.tell("Harriet presses the button again. She gets the same receipt, and the record no second event.")
    again = desk.harbour.owner.does("revokeAgent", f"receipt {{ {RECEIPT} }}", engagementId=desk.at_harbour["id"])
    story.same("the second receipt", again["receipt"], receipt)
    read_record(desk.harbour, "practice.created", "engagement.started", "engagement.roles_set", "engagement.ended")
    story.tell("An ended engagement never changes again: no role can be set on it.")
    ended = engagement_now(desk.harbour.owner, desk.at_harbour["id"])
    wanted = role_input(ended, "scheduler")
    refused = desk.harbour.owner.is_refused("EngagementEnded", "setRoles", "endReason", **wanted)
    story.same("why it ended", refused["endReason"], "REVOKED_BY_PRACTICE")
    story.screen(refused["message"])


def return_of_dana(scene: Scene, desk: Desk) -> None:
    story = scene.story
    story.chapter("Coming back")
    story.tell("Months later Harriet wants Dana back. The token of the first time opens nothing.")
    yes = {"practiceId": desk.harbour.id, "confirmAgentId": desk.agent.id, "purpose": "SHARED_FRONT_OFFICE"}
    refused = desk.harbour.owner.is_refused("TokenRejected", "connectAgent", **desk.first_token.typed, **yes)
    story.screen(refused["message"])
    story.tell("A new token makes a new engagement. It knows the one before it, and inherits nothing.")
    engagement = connect(desk.harbour, issue(desk.dana, desk.agent.id), desk.agent, purpose="SHARED_FRONT_OFFICE")
    story.true("the new engagement's id", engagement["id"] != desk.at_harbour["id"], engagement["id"], "a new one")
    story.same("the one before", engagement["previous"], {"id": desk.at_harbour["id"], "status": "ENDED"})
    story.same("Dana's permissions", _held(desk), [])
    show_engagement(scene, engagement)
    desk.at_harbour = engagement
