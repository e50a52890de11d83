"""What an agreement says, as a side types it in: checked by itself, and against what the other side has said.

Both sides must mean the same document and the same days. What one of them has said the other may repeat or leave out;
it cannot change it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from authz.actor import Access
from authz.training import months_later
from errors import InvalidInput
from operations import wording

if TYPE_CHECKING:
    from models import Agreement
    from schema.agreement import RecordAgreementInput, SignAgreementInput

# What is beyond these is a slip of the finger, not an agreement.
EARLIEST = timedelta(days=3653)
LATEST = timedelta(days=731)
LONGEST = timedelta(days=36525)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SAID = {"effective_on": "effectiveOn", "expires_on": "expiresOn", "document_sha256": "documentSha256"}


@dataclass(frozen=True, slots=True)
class Terms:
    """None where a side says nothing about it."""

    effective_on: date | None
    expires_on: date | None
    document_ref: str | None
    document_sha256: str | None
    training_completed_on: date | None = None


def signed(access: Access, typed: SignAgreementInput) -> Terms:
    """What the agent signs. Raises InvalidInput."""
    reference = wording.text("documentRef", typed.document_ref, 200)
    sha256 = _sha256(typed.document_sha256)
    _check_days(access.now.date(), typed.effective_on, typed.expires_on)
    return Terms(typed.effective_on, typed.expires_on, reference, sha256)


def recorded(access: Access, typed: RecordAgreementInput) -> Terms:
    """What the practice attests of an agreement. Raises InvalidInput."""
    if typed.training_completed_on is not None:
        raise InvalidInput("trainingCompletedOn", "leave it out, or record the training as the basis")
    reference = wording.optional("documentRef", typed.document_ref, 200)
    sha256 = None if typed.document_sha256 is None else _sha256(typed.document_sha256)
    _check_days(access.now.date(), typed.effective_on, typed.expires_on)
    return Terms(typed.effective_on, typed.expires_on, reference, sha256)


def trained(access: Access, typed: RecordAgreementInput) -> Terms:
    """What the practice attests of a worker's training, which falls due again. Raises InvalidInput."""
    today, completed = access.now.date(), typed.training_completed_on
    reference = wording.optional("documentRef", typed.document_ref, 200)
    sha256 = None if typed.document_sha256 is None else _sha256(typed.document_sha256)
    if typed.expires_on is not None:
        raise InvalidInput("expiresOn", "leave it out: training falls due again by the policy")
    if completed is None:
        raise InvalidInput("trainingCompletedOn", "say when the worker completed the training")
    if completed > today:
        raise InvalidInput("trainingCompletedOn", "choose a day that has come")
    due = months_later(completed, access.policy.training.months)
    if due < today:
        raise InvalidInput("trainingCompletedOn", "this training is due again; record the newest one")
    _check_days(today, typed.effective_on, due)
    if typed.effective_on < completed:
        raise InvalidInput("effectiveOn", "choose a day from the training on")
    return Terms(typed.effective_on, due, reference, sha256, completed)


def repeats(terms: Terms, stored: Agreement) -> bool:
    """Whether a side says nothing that is not agreed already."""
    return all(getattr(terms, name) in (None, getattr(stored, name)) for name in _SAID)


def together(access: Access, terms: Terms, stored: Agreement) -> Terms:
    """What both sides have said. Raises InvalidInput where they do not mean the same."""
    for name, field in _SAID.items():
        mine, theirs = getattr(terms, name), getattr(stored, name)
        if mine is not None and theirs is not None and mine != theirs:
            raise InvalidInput(field, "the other side has named another one; both have to mean the same agreement")
    effective_on, expires_on = terms.effective_on or stored.effective_on, terms.expires_on or stored.expires_on
    _check_days(access.now.date(), effective_on, expires_on)
    sha256 = terms.document_sha256 or stored.document_sha256
    return Terms(effective_on, expires_on, terms.document_ref or stored.document_ref, sha256)


def _sha256(typed: str) -> str:
    found = typed.strip().lower()
    if not _SHA256.fullmatch(found):
        raise InvalidInput("documentSha256", "write the 64 hexadecimal digits of the document's SHA-256")
    return found


def _check_days(today: date, effective_on: date | None, expires_on: date | None) -> None:
    if effective_on is not None and effective_on < today - EARLIEST:
        raise InvalidInput("effectiveOn", "choose a day of the last ten years, or a later one")
    if effective_on is not None and effective_on > today + LATEST:
        raise InvalidInput("effectiveOn", "choose a day of the next two years, or an earlier one")
    if expires_on is None:
        return
    if expires_on < today:
        raise InvalidInput("expiresOn", "choose a day that has not passed")
    if expires_on > today + LONGEST:
        raise InvalidInput("expiresOn", "choose a day of the next hundred years, or leave it out")
    if effective_on is not None and expires_on <= effective_on:
        raise InvalidInput("expiresOn", "choose a day after the first one")
