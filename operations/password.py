"""Changing one's own password, which ends every other session: whoever knew the old one is out."""

from __future__ import annotations

from authz.actor import Actor
from models import User
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations import stretching, wording
from operations.blocklist import refuse_guessable
from operations.people import end_sessions, set_password
from operations.session import Opened, Visit, accept, begin, prove


async def change_password(visit: Visit, actor: Actor, password: str, new: str, factor: str | None = None) -> Opened:
    """Prove oneself with the old password, and the second factor if there is one; go on in a new session.

    OWASP ASVS 5.0 §6.2.3, §7.4.3. API keys and passkeys go on: they were not made of the password. Refuses, first match
    wins: InvalidInput (the new password), then as `sign_in`.
    """
    user = await User.get(id=actor.user_id)
    chosen = wording.password("newPassword", new)
    await refuse_guessable("newPassword", chosen, (user.name, user.email))
    proof = await prove(visit, user.email, password, factor)
    password_hash = await stretching.hash_password(chosen)

    async def work(connection: Connection) -> Opened:
        given = await accept(connection, proof, factor, visit.now)
        await set_password(connection, proof.user_id, password_hash)
        await end_sessions(connection, proof.user_id, visit.now)
        return await begin(connection, visit, proof.user_id, proof.name, "user.password_changed", given)

    return await unit_of_work(work)
