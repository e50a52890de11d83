"""The moves that the walk's chapters are made of: arriving, registering, connecting, turning on roles."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from server.walk_person import Person
from server.walk_story import Story
from server.walk_token import Token

ENGAGEMENT = """
id version status endedAt endReason blockers { code message waitingFor since } roles { status role { key title } }
permissions { key title } agreement { requirement state } previous { id status }
"""
CARD = "agentId legalName kind phone city verified memberSince practiceCount agreementRequirement warnings"


@dataclass(frozen=True)
class Practice:
    id: str
    name: str
    owner: Person


@dataclass(frozen=True)
class Agent:
    id: str
    name: str
    city: str
    admin: Person


@dataclass
class Scene:
    """One run of the walk. Its people are new in every run, so that it can be played again and again."""

    url: str
    story: Story
    mark: str = field(default_factory=lambda: secrets.token_hex(5))
    password: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    people: list[Person] = field(default_factory=list)

    def person(self, name: str, email: str = "") -> Person:
        """Somebody at a browser, not signed in yet."""
        made = Person(name, email or f"{name.lower()}.{self.mark}@walk.example", self.url, self.story)
        self.people.append(made)
        return made

    def sign_up(self, name: str) -> Person:
        made = self.person(name)
        typed = {"name": name, "email": made.email, "password": self.password}
        viewer = made.does("signUp", "viewer { user { name email } }", **typed)["viewer"]
        self.story.same("who is signed in", viewer["user"], {"name": name, "email": made.email})
        check_cookie(made)
        return made

    def close(self) -> None:
        for person in self.people:
            person.http.close()


def check_cookie(person: Person) -> None:
    """The session is one cookie that no script of a page can read."""
    cookies = list(person.http.cookies.jar)
    guarded = [(one.has_nonstandard_attr("HttpOnly"), one.get_nonstandard_attr("SameSite")) for one in cookies]
    person.story.same("the session's cookie: HttpOnly, SameSite", guarded, [(True, "Lax")])


def sign_in(scene: Scene, name: str, email: str, password: str) -> Person:
    made = scene.person(name, email)
    viewer = made.does("signIn", "viewer { user { email } }", email=email, password=password)["viewer"]
    scene.story.same("who is signed in", viewer["user"], {"email": email.lower()})
    check_cookie(made)
    return made


def register(admin: Person, kind: str, legal_name: str, city: str) -> Agent:
    described = {"kind": kind, "legalName": legal_name, "city": city}
    where = {"address": "12 Example Street", "phone": "+1 555 0100", "email": admin.email}
    made = admin.does("registerAgent", "agent { id kind legalName city status verifiedAt }", **described, **where)
    agent = made["agent"]
    registered = {**described, "id": agent["id"], "status": "REGISTERED", "verifiedAt": None}
    admin.story.same("the new agent", agent, registered)
    return Agent(agent["id"], legal_name, city, admin)


def verify(operator: Person, agent: Agent) -> None:
    verified = operator.does("verifyAgent", "agent { status verifiedAt }", agentId=agent.id)["agent"]
    operator.story.same("the agent's status", verified["status"], "ACTIVE")
    operator.story.true("verifiedAt", bool(verified["verifiedAt"]), verified["verifiedAt"], "a time")


def found(owner: Person, name: str, kind: str) -> Practice:
    group = {"incorporated": kind == "TRUE_GROUP"} | ({"groupTaxId": "12-3456789"} if kind == "TRUE_GROUP" else {})
    made = owner.does("createPractice", "practice { id name kind }", name=name, kind=kind, **group)["practice"]
    owner.story.same("the new practice", made, {"id": made["id"], "name": name, "kind": kind})
    return Practice(made["id"], name, owner)


def hire(practice: Practice, person: Person, role: str) -> dict[str, Any]:
    """The owner invites; the person, who is signed in, is handed the code and accepts."""
    typed = {"practiceId": practice.id, "email": person.email, "name": person.name, "roles": [role]}
    code = practice.owner.does("addStaff", "code", **typed)["code"]
    selection = "staff { active roles { key } training { lastCompletedOn dueOn overdue } }"
    staff: dict[str, Any] = person.does("acceptInvitation", selection, code=code)["staff"]
    practice.owner.story.same("the new member of the staff", (staff["active"], staff["roles"]), (True, [{"key": role}]))
    return staff


def join(agent: Agent, person: Person) -> None:
    """The administrator invites; the person, who is signed in, is handed the code and accepts."""
    typed = {"agentId": agent.id, "email": person.email, "name": person.name}
    code = agent.admin.does("inviteMember", "code", **typed)["code"]
    member = person.does("acceptInvitation", "member { status }", code=code)["member"]
    person.story.same("the new member", member, {"status": "ACTIVE"})


def preview(practice: Practice, token: Token) -> dict[str, Any]:
    selection = f"agent {{ {CARD} }} advice {{ code message nextStep trainingRequired overrideWith }}"
    return practice.owner.does("previewToken", selection, practiceId=practice.id, **token.typed)


def connect(practice: Practice, token: Token, agent: Agent, **typed: Any) -> dict[str, Any]:
    """A new engagement, which has to grant nothing."""
    yes = {"practiceId": practice.id, "confirmAgentId": agent.id, "purpose": "CONTRACTED_SERVICE", **typed}
    answer = practice.owner.does("connectAgent", f"nextStep engagement {{ {ENGAGEMENT} }}", **token.typed, **yes)
    engagement: dict[str, Any] = answer["engagement"]
    story = practice.owner.story
    story.same("the new engagement's status", engagement["status"], "AWAITING_ROLES")
    story.same("its roles and permissions", (engagement["roles"], engagement["permissions"]), ([], []))
    story.true("the next step", "roles" in answer["nextStep"], answer["nextStep"], "advice to choose roles")
    return engagement


def set_roles(person: Person, engagement: dict[str, Any], *roles: str, **typed: Any) -> dict[str, Any]:
    wanted = role_input(engagement, *roles)
    answer = person.does("setRoles", f"engagement {{ {ENGAGEMENT} }}", **(wanted | typed))
    changed: dict[str, Any] = answer["engagement"]
    person.story.same("the engagement's version", changed["version"], engagement["version"] + 1)
    person.story.same("its roles", [one["role"]["key"] for one in changed["roles"]], sorted(roles))
    return changed


def role_input(engagement: dict[str, Any], *roles: str) -> dict[str, Any]:
    wanted = [{"role": role} for role in roles]
    return {"engagementId": engagement["id"], "expectedVersion": engagement["version"], "roles": wanted}


def engagement_now(person: Person, engagement_id: str) -> Any:
    return person.ask(f"query ($id: ID!) {{ engagement(id: $id) {{ {ENGAGEMENT} }} }}", id=engagement_id)


def permissions_in(person: Person, practice: Practice) -> list[str]:
    document = "query ($id: ID!) { viewer { permissions(practiceId: $id) } }"
    held: list[str] = person.ask(document, id=practice.id)["permissions"]
    return held


def sees(person: Person, practice: Practice) -> Any:
    return person.ask("query ($id: ID!) { practice(id: $id) { name } }", id=practice.id)
