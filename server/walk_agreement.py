"""The walk between the roles and the work: both sides act on the agreement, each for itself."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from server.walk_connecting import Company, expect_nothing, show_engagement
from server.walk_person import Person
from server.walk_scene import ENGAGEMENT, Practice, Scene

DOCUMENT = hashlib.sha256(b"Business associate agreement of Maple Street Therapy and Bright Billing").hexdigest()
WAITING = """query ($id: ID!) { clientOnboarding(agentId: $id) {
    totalCount nodes { practice { name } externalRef waitingFor missing { code message } }
} }"""


def agreement(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> dict[str, Any]:
    """From AWAITING_AGREEMENT to ACTIVE. Nobody of the company is assigned yet, so nobody can act."""
    story, olivia, ada = scene.story, maple.owner, company.agent.admin
    story.chapter("Two sides, one agreement")
    story.tell("Olivia asks for the agreement. Ada's work list says what waits, and for whom.")
    _does(scene, olivia, "requestAgreement", engagement, "REQUESTED")
    _work_list(scene, company, "AGENT")
    story.tell("Olivia cannot sign for the company, nor Ada record for the practice.")
    said = {"engagementId": engagement["id"], "documentRef": "signed by hand", "documentSha256": DOCUMENT}
    refused = olivia.is_refused("NotPermitted", "signAgreement", "permission", **said)
    story.same("what Olivia lacks", refused["permission"], "agreements.sign")
    recorded = {"engagementId": engagement["id"], "basis": "BAA", "effectiveOn": str(datetime.now(UTC).date())}
    refused = ada.is_refused("NotPermitted", "recordAgreement", "permission", **recorded)
    story.same("what Ada lacks", refused["permission"], "agreements.record")
    story.tell("Ada signs. Of the document the fingerprint is kept, never the document.")
    _does(scene, ada, "signAgreement", engagement, "SIGNED_BY_AGENT", documentRef="A 7", documentSha256=DOCUMENT)
    _work_list(scene, company, "PRACTICE")
    story.tell("Olivia has another document before her. The two do not mean the same, and nothing comes into force.")
    another = hashlib.sha256(b"another").hexdigest()
    refused = olivia.is_refused("InvalidInput", "recordAgreement", "field", **recorded, documentSha256=another)
    story.same("the field that does not fit", refused["field"], "documentSha256")
    story.screen(refused["message"])
    story.tell("She finds the right one and records it. Biller counts from now on.")
    today = recorded["effectiveOn"]
    active = _does(scene, olivia, "recordAgreement", engagement, "IN_FORCE", basis="BAA", effectiveOn=today)
    _counts(scene, company, maple, active)
    return active


def _counts(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> None:
    story = scene.story
    story.same("the engagement's status", engagement["status"], "ACTIVE")
    held = [each["key"] for each in engagement["permissions"]]
    story.true("what the company may do", "claims.submit" in held, held, "claims.submit among it")
    blockers = [(one["code"], one["waitingFor"]) for one in engagement["blockers"]]
    story.same("what is still missing", blockers, [("MEMBER_NOT_ASSIGNED", "AGENT")])
    show_engagement(scene, engagement)
    expect_nothing(scene, company, maple)


def _does(
    scene: Scene, person: Person, mutation: str, engagement: dict[str, Any], state: str, **typed: Any
) -> dict[str, Any]:
    said = {"engagementId": engagement["id"], **typed}
    changed: dict[str, Any] = person.does(mutation, f"engagement {{ {ENGAGEMENT} }}", **said)["engagement"]
    scene.story.same("where the agreement stands", changed["agreement"], {"requirement": "REQUIRED", "state": state})
    return changed


def _work_list(scene: Scene, company: Company, party: str) -> None:
    found = company.agent.admin.ask(WAITING, id=company.agent.id)
    (client,) = found["nodes"]
    scene.story.same("who has to act", (client["waitingFor"], client["externalRef"]), (party, "client 7"))
    missing = "; ".join(each["message"] for each in client["missing"])
    scene.story.screen(f"{client['practice']['name']} ({client['externalRef']}): {missing}")
