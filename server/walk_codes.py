"""The walk, third part: codes that are misheard, mistyped, guessed, used, cancelled, or confirmed for somebody else.

Every wrong code counts against the person, the practice and the address that typed it. Each chapter ends with a
right one, which forgives them, so that the walk can be played any number of times from one address.
"""

from __future__ import annotations

from server.walk_connecting import Company, show_card
from server.walk_scene import Agent, Practice, Scene, connect, found
from server.walk_token import TOKEN, Token, guess, issue, misheard, swapped, token_now

ATTEMPTS = 5


def bad_line(scene: Scene, company: Company, harbour: Practice, other: Agent) -> Token:
    """Returns the token that was used in the end."""
    story = scene.story
    story.chapter("A bad line")
    story.tell("Ben reads a token out to Harriet. She mishears a digit, any digit, and is told so at once.")
    token = issue(company.member, company.agent.id)
    wrong = [misheard(token, place) for place in range(12)]
    for code in [*wrong, swapped(token), token.code[:-1]]:
        refused = _typed(harbour, "CheckDigitMismatch", token.letters, code)
    story.screen(refused)
    story.tell("So she is for two digits swapped, or one left out. Ben's screen still says five attempts.")
    _still_good(company, token)
    story.tell("She types it right, but sloppily: lower case, spaces, other dashes. That is fine.")
    sloppy = _sloppy(token)
    story.screen(f"{sloppy.letters}   {sloppy.code}")
    show_card(scene, harbour, sloppy, company.agent, practices=1, agreement="REQUIRED", kind="BILLING_COMPANY")
    story.tell("She confirms another name than the token's. Nothing is connected, and the token stays good.")
    yes = {"practiceId": harbour.id, "confirmAgentId": other.id, "purpose": "CONTRACTED_SERVICE"}
    story.screen(harbour.owner.is_refused("AgentConfirmationMismatch", "connectAgent", **token.typed, **yes)["message"])
    _still_good(company, token)
    story.tell("With the right name it connects, still typed sloppily.")
    connect(harbour, sloppy, company.agent)
    return token


def _sloppy(token: Token) -> Token:
    low = token.letters.lower()
    letters = f" {low[0]} {low[1]}-{low[2:]} "
    return Token(token.id, letters, token.code.replace("-", " \N{EN DASH} "))


def _typed(practice: Practice, problem: str, letters: str, code: str) -> str:
    """The refusal's words for these letters and this code."""
    typed = {"practiceId": practice.id, "letters": letters, "code": code}
    return str(practice.owner.is_refused(problem, "previewToken", **typed)["message"])


def _still_good(company: Company, token: Token) -> None:
    state = token_now(company.member, company.agent.id, token)
    company.member.story.same("the token", (state["status"], state["attemptsRemaining"]), ("ISSUED", ATTEMPTS))


def guessing(scene: Scene, company: Company, used: Token) -> Practice:
    """Returns the true group whose owner did the guessing."""
    story = scene.story
    story.chapter("Guessing does not help")
    story.tell("Grace opens Northside Group, a true group. With a token's letters alone she guesses codes.")
    northside = found(scene.sign_up("Grace"), "Northside Group", "TRUE_GROUP")
    token = issue(company.member, company.agent.id)
    words = {_guessed(company, northside, token, nth) for nth in range(1, ATTEMPTS + 1)}
    story.screen(f"{ATTEMPTS} times: {next(iter(words))}")
    story.tell("Ben sees that his token is LOCKED. Grace is not told: the right code gets the same words now.")
    story.same("the guessed token", token_now(company.member, company.agent.id, token)["status"], "LOCKED")
    words.add(_typed(northside, "TokenRejected", token.letters, token.code))
    story.tell("A used token, a cancelled one and letters that nobody issued get the same words, too.")
    words.add(_typed(northside, "TokenRejected", used.letters, used.code))
    words.add(_typed(northside, "TokenRejected", *_cancelled(company)))
    words.add(_typed(northside, "TokenRejected", "BCDF", token.code))
    _own_token(scene, company, words)
    story.same("different words for rejected tokens", len(words), 1)
    story.tell("With a good token the true group connects the company, which forgives the wrong codes.")
    good = issue(company.member, company.agent.id)
    answer = show_card(scene, northside, good, company.agent, practices=2, agreement="REQUIRED", kind="BILLING_COMPANY")
    story.same("advice for a company", answer["advice"], None)
    connect(northside, good, company.agent)
    return northside


def _guessed(company: Company, practice: Practice, token: Token, nth: int) -> str:
    words = _typed(practice, "TokenRejected", token.letters, guess(token, nth))
    remain = token_now(company.member, company.agent.id, token)["attemptsRemaining"]
    company.member.story.same("attempts that the agent sees remain", remain, ATTEMPTS - nth)
    return words


def _cancelled(company: Company) -> tuple[str, str]:
    """Letters and code of a token that Ben took back."""
    token = issue(company.member, company.agent.id)
    shown = company.member.does("cancelToken", f"token {{ {TOKEN} }}", tokenId=token.id)["token"]
    company.member.story.same("the token's status", shown["status"], "CANCELLED")
    return token.letters, token.code


def _own_token(scene: Scene, company: Company, words: set[str]) -> None:
    scene.story.tell("Ada opens a practice and types a token that she issued herself: the same.")
    ada = company.agent.admin
    own = found(ada, "Ada's Practice", "INDEPENDENT_THERAPIST")
    token = issue(ada, company.agent.id)
    words.add(_typed(own, "TokenRejected", token.letters, token.code))
