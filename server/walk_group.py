"""The walk, fourth part: a true group's own receptionist gets a staff account, an outsider is connected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from server.walk_connecting import show_card
from server.walk_person import Person
from server.walk_scene import Agent, Practice, Scene, connect, hire, permissions_in, register, verify
from server.walk_token import Token, issue, token_now


def receptionist(scene: Scene, operator: Person, northside: Practice, outsider: Agent) -> None:
    """Rita works for the group itself; `outsider` is Dana, who does not."""
    story = scene.story
    story.chapter("A true group and its own receptionist")
    story.tell("Rita works at Northside's front desk. All the same she registers as an outside agent.")
    rita = register(scene.sign_up("Rita"), "FRONT_OFFICE_WORKER", "Rita Reception", "Salem")
    verify(operator, rita)
    story.tell("Grace previews Rita's token and is advised before she says yes; if she says it, she is refused.")
    token = issue(rita.admin, rita.id)
    answer = show_card(scene, northside, token, rita, practices=0, agreement="RECOMMENDED", kind="FRONT_OFFICE_WORKER")
    _check_advice(northside, answer["advice"])
    _refuse(northside, token, rita)
    story.same("Rita's token", token_now(rita.admin, rita.id, token)["status"], "ISSUED")
    story.screen(f"{answer['advice']['message']}: {answer['advice']['nextStep']}")
    _staff_account(scene, northside, rita.admin)
    story.tell("Dana does not work for the group. Grace says so, and connects her as an outside agent.")
    token = issue(outsider.admin, outsider.id)
    _refuse(northside, token, outsider)
    connect(northside, token, outsider, notMyEmployee=True)


def _check_advice(northside: Practice, advice: Any) -> None:
    expected = {"code": "USE_STAFF_ACCOUNT", "trainingRequired": True, "overrideWith": "notMyEmployee"}
    story = northside.owner.story
    story.true("the preview's advice", bool(advice), advice, "to use a staff account")
    story.same("the preview's advice", {name: advice[name] for name in expected}, expected)
    story.true("the next step", "staff" in advice["nextStep"], advice["nextStep"], "the staff page")


def _refuse(northside: Practice, token: Token, agent: Agent) -> None:
    yes = {"practiceId": northside.id, "confirmAgentId": agent.id, "purpose": "SHARED_FRONT_OFFICE"}
    selection = "trainingRequired overrideWith"
    refused = northside.owner.is_refused("UseStaffAccountInstead", "connectAgent", selection, **token.typed, **yes)
    override = (refused["trainingRequired"], refused["overrideWith"])
    northside.owner.story.same("training and override", override, (True, "notMyEmployee"))


def _staff_account(scene: Scene, northside: Practice, rita: Person) -> None:
    story = scene.story
    story.tell("She invites Rita to the staff, who accepts with her own login. No agreement; training falls due.")
    staff = hire(northside, rita, "scheduler")
    training = staff["training"]
    days = {(datetime.now(UTC) + timedelta(days=day)).date().isoformat() for day in (-1, 0, 1)}
    story.true("Rita's training", training["dueOn"] in days, training, "due today")
    story.same("training done", (training["lastCompletedOn"], training["overdue"]), (None, False))
    held = permissions_in(rita, northside)
    story.true("what Rita may do", "schedule.write" in held, held, "schedule.write among it")
    story.screen(f"Rita: Scheduler; training due on {training['dueOn']}")
