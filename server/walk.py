"""The whole walk of the product, played over HTTP against a running server as its people would play it.

Exits at the first surprise, so a server that has come this far has kept every promise that was printed. It makes
new practices, agents and people in every run and changes nobody else's; only the operator's account has to exist.
"""

from __future__ import annotations

import time

import click

from server import (
    walk_agreement,
    walk_codes,
    walk_connecting,
    walk_group,
    walk_history,
    walk_leaving,
    walk_people,
    walk_rules,
    walk_time,
    walk_working,
)
from server.walk_scene import Scene
from server.walk_story import Story, Surprise


def play(url: str, operator_email: str, operator_password: str) -> int:
    """The exit code: 0 when nothing surprised, 1 at the first surprise."""
    began, story = time.monotonic(), Story()
    click.echo(f"The walk, played against {url}")
    scene = Scene(url, story)
    try:
        _chapters(scene, operator_email, operator_password)
    except Surprise as surprise:
        story.break_off(surprise)
        return 1
    finally:
        scene.close()
    story.end(time.monotonic() - began)
    return 0


def _chapters(scene: Scene, operator_email: str, operator_password: str) -> None:
    operator, company = walk_connecting.verification(scene, operator_email, operator_password)
    token = walk_connecting.telephone(scene, company)
    maple, billing = walk_connecting.first_connection(scene, company, token)
    billing = walk_connecting.roles_screen(scene, company, maple, billing)
    billing = walk_agreement.agreement(scene, company, maple, billing)
    billing, cleo = walk_people.people(scene, company, maple, billing)
    billing = walk_time.stop_and_go(scene, company, maple, billing)
    billing = walk_people.somebody_leaves(scene, company, maple, billing, cleo)
    desk = walk_working.front_office(scene, operator, maple)
    walk_working.record(scene, desk)
    walk_working.red_button(scene, desk)
    walk_working.return_of_dana(scene, desk)
    used = walk_codes.bad_line(scene, company, desk.harbour, desk.agent)
    northside = walk_codes.guessing(scene, company, used)
    walk_group.receptionist(scene, operator, northside, desk.agent)
    walk_rules.wrong_roles(scene, company, maple, billing)
    walk_rules.wrong_people(scene, maple, desk, company, billing, northside.owner)
    walk_rules.manager_role(scene, maple, desk)
    walk_rules.sent_twice(scene, company, maple, billing)
    walk_leaving.company_leaves(scene, company, desk.harbour, maple, billing)
    walk_history.another_day(scene, company, maple, billing, desk.agent)
    walk_rules.going_home(scene, operator)
