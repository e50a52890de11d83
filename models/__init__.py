"""What is stored: one table a file. Constraints, not Python, settle races."""

from __future__ import annotations

from models.activation import PolicyActivation, PolicySet
from models.agent import Agent
from models.agreement import Agreement
from models.assignment import Assignment
from models.attempt import AttemptBudget
from models.audit import AuditEvent, AuditHead
from models.engagement import Engagement
from models.grant import RoleGrant
from models.idempotency import IdempotencyKey
from models.member import AgentMember
from models.practice import Practice
from models.receipt import RevocationReceipt
from models.session import Session
from models.staff import StaffMember
from models.token import ConnectToken
from models.user import User

__all__ = [
    "Agent",
    "AgentMember",
    "Agreement",
    "Assignment",
    "AttemptBudget",
    "AuditEvent",
    "AuditHead",
    "ConnectToken",
    "Engagement",
    "IdempotencyKey",
    "PolicyActivation",
    "PolicySet",
    "Practice",
    "RevocationReceipt",
    "RoleGrant",
    "Session",
    "StaffMember",
    "User",
]
