"""The walk while an engagement runs: it is stopped and goes on, gets another end, and is reviewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from server.walk_connecting import Company, show_engagement
from server.walk_scene import ENGAGEMENT, Practice, Scene, engagement_now, permissions_in

_TERM = "query ($id: ID!) { engagement(id: $id) { expiresAt autoExtend } }"
_REVIEWS = """query ($id: ID!) { practice(id: $id) { reviews {
    id dueOn overdue engagement { id } evidence { lastUsedAt role { key title } }
} } }"""
_MOST_DAYS, _REVIEW_DAYS = 730, 365  # of the policy that is shipped


def stop_and_go(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> dict[str, Any]:
    story, olivia, ben = scene.story, maple.owner, company.member
    story.chapter("Stop and go")
    held = permissions_in(ben, maple)
    story.tell("Olivia has a question about a bill and stops everything until it is answered: Ben is out at once.")
    seen = {"engagementId": engagement["id"], "expectedVersion": engagement["version"]}
    answer = olivia.does("suspendEngagement", f"engagement {{ {ENGAGEMENT} }}", **seen, reason="a question")
    stopped = answer["engagement"]
    story.same("what Ben may do", permissions_in(ben, maple), [])
    story.same("the engagement's status", stopped["status"], "SUSPENDED")
    blockers = [(one["code"], one["waitingFor"]) for one in stopped["blockers"]]
    story.same("what is missing, and who has to act", blockers, [("SUSPENDED", "PRACTICE")])
    story.same("its roles", stopped["roles"], engagement["roles"])
    show_engagement(scene, stopped)
    resumed = _resumed(scene, company, maple, engagement, stopped["version"])
    story.same("what Ben may do", permissions_in(ben, maple), held)
    _renewed(scene, company, maple, resumed)
    _reviewed(scene, maple, resumed)
    now: dict[str, Any] = engagement_now(olivia, engagement["id"])
    return now


def _resumed(scene: Scene, company: Company, maple: Practice, before: dict[str, Any], version: int) -> dict[str, Any]:
    story, seen = scene.story, {"engagementId": before["id"], "expectedVersion": version}
    story.tell("Ada cannot start it again. Olivia can, and everything is as it was.")
    refused = company.agent.admin.is_refused("NotPermitted", "resumeEngagement", "permission", **seen)
    story.same("what Ada lacks", refused["permission"], "agents.suspend")
    answer = maple.owner.does("resumeEngagement", f"engagement {{ {ENGAGEMENT} }}", **seen)
    resumed: dict[str, Any] = answer["engagement"]
    story.same("the engagement", resumed, before | {"version": version + 1})
    return resumed


def _renewed(scene: Scene, company: Company, maple: Practice, engagement: dict[str, Any]) -> None:
    story, olivia, now = scene.story, maple.owner, datetime.now(UTC).replace(microsecond=0)
    story.tell("Olivia likes the company and gives it three years, which is more than anybody can.")
    seen = {"engagementId": engagement["id"], "expectedVersion": engagement["version"]}
    too_late, end = ((now + timedelta(days=days)).isoformat() for days in (3 * 365, _MOST_DAYS - 30))
    refused = olivia.is_refused("InvalidInput", "renewEngagement", "field", **seen, expiresAt=too_late)
    story.same("the field that does not fit", refused["field"], "expiresAt")
    story.screen(refused["message"])
    story.tell("She gives it nearly two, and then lets it extend itself. Both sides see the new end.")
    olivia.does("renewEngagement", "engagement { id }", **seen, expiresAt=end, autoExtend=True)
    expected = (datetime.fromisoformat(end), True)
    for person in (olivia, company.agent.admin):
        term = person.ask(_TERM, id=engagement["id"])
        said = (datetime.fromisoformat(term["expiresAt"]), term["autoExtend"])
        story.same(f"its end, and whether it goes on, as {person.name} sees them", said, expected)
    story.screen(f"runs until {end[:10]}, and extends itself then")


def _reviewed(scene: Scene, maple: Practice, engagement: dict[str, Any]) -> None:
    """The one that opened when they connected."""
    story, olivia = scene.story, maple.owner
    story.tell("One review is open: does she still want this? She sees when each role was last used, and keeps them.")
    reviews = olivia.ask(_REVIEWS, id=maple.id)["reviews"]
    opened = [(each["engagement"]["id"], each["overdue"]) for each in reviews]
    story.same("the open reviews: of what, and whether overdue", opened, [(engagement["id"], False)])
    review = reviews[0]
    story.same("the roles under review", [each["role"]["key"] for each in review["evidence"]], ["biller"])
    for each in review["evidence"]:
        story.screen(f"due on {review['dueOn']}; {each['role']['title']} last used: {each['lastUsedAt'] or 'never'}")
    decided = olivia.does("decideReview", "engagement { nextReviewOn }", reviewId=review["id"], decision="KEEP")
    due = decided["engagement"]["nextReviewOn"]
    days = [(datetime.now(UTC) + timedelta(days=_REVIEW_DAYS + day)).date().isoformat() for day in (-1, 0, 1)]
    story.true("the next review", due in days, due, "in a year")
    story.screen(f"next review on {due}")
    story.tell("On her other device she ends it by that review. It is decided, and the next one is open already.")
    refused = olivia.is_refused("InvalidInput", "decideReview", "field", reviewId=review["id"], decision="END")
    story.same("the field that does not fit", refused["field"], "reviewId")
    following = [each["id"] for each in olivia.ask(_REVIEWS, id=maple.id)["reviews"]]
    story.true("the open review", len(following) == 1 and following != [review["id"]], following, "another one")
