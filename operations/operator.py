"""Who operates the platform. There is no mutation for it: whoever runs the server names its operators."""

from __future__ import annotations

from datetime import datetime

from authz.life import Party
from errors import NotFound
from models import User
from models.connection import Connection
from models.unit_of_work import unit_of_work
from operations.policy import newest
from operations.record import About, Who, record


async def set_operator(email: str, operator: bool, now: datetime) -> bool:
    """Make the person with this e-mail an operator, or no longer one. False where nothing had to change.

    Raises NotFound where nobody has an account with this e-mail.
    """

    async def work(connection: Connection) -> bool:
        user = await User.filter(email=email.strip().lower()).using_db(connection).select_for_update().first()
        if user is None:
            raise NotFound
        if user.operator == operator:
            return False
        user.operator = operator
        await user.save(using_db=connection, update_fields=["operator"])
        in_force = await newest(connection)
        digest = in_force.digest if in_force else ""  # before the first start no policy is in force
        who = Who("command line", None, Party.PLATFORM, digest, now)
        summary = "made an operator of the platform" if operator else "is no operator of the platform any more"
        before, after = {"operator": not operator}, {"operator": operator}
        about = About(user_id=user.id)
        await record(connection, who, "user.operator_set", about, summary, before=before, after=after)
        return True

    return await unit_of_work(work)
