"""The ids of requests: no two alike, in no two workers."""

from __future__ import annotations

import re
import subprocess
import sys

from server.request_id import AT_ONCE, Ids

FORKED = """
import os
from server.request_id import new_id
new_id()
child = os.fork()
os.write(1, new_id().encode() + b" ")
if child:
    os.waitpid(child, 0)
"""


def test_no_id_comes_twice_and_each_has_32_digits() -> None:
    new_id = Ids().new
    found = [new_id() for _ in range(3 * AT_ONCE)]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in found)


def test_a_forked_worker_gives_other_ids_than_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    one, other = done.stdout.split()
    assert one != other
