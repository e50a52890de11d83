"""What is stored: one table a file. Constraints, not Python, settle races."""

from __future__ import annotations

from models.access_token import AccessToken
from models.activation import PolicyActivation, PolicySet
from models.agent import Agent
from models.agreement import Agreement
from models.api_key import ApiKey
from models.assignment import Assignment
from models.attempt import AttemptBudget
from models.audit import AuditEvent, AuditHead
from models.challenge import PasskeyChallenge
from models.change import AgentChange, ChangeHead
from models.engagement import Engagement
from models.factor import Factor
from models.grant import RoleGrant
from models.idempotency import IdempotencyKey
from models.identity import Identity
from models.invitation import Invitation
from models.member import AgentMember
from models.notice import NextLook, Notice
from models.practice import Practice
from models.receipt import RevocationReceipt
from models.recovery_code import RecoveryCode
from models.review import Review
from models.session import Session
from models.staff import StaffMember
from models.token import ConnectToken
from models.use import RoleUse
from models.user import User

__all__ = [
    "AccessToken",
    "Agent",
    "AgentChange",
    "AgentMember",
    "Agreement",
    "ApiKey",
    "Assignment",
    "AttemptBudget",
    "AuditEvent",
    "AuditHead",
    "ChangeHead",
    "ConnectToken",
    "Engagement",
    "Factor",
    "IdempotencyKey",
    "Identity",
    "Invitation",
    "NextLook",
    "Notice",
    "PasskeyChallenge",
    "PolicyActivation",
    "PolicySet",
    "Practice",
    "RecoveryCode",
    "Review",
    "RevocationReceipt",
    "RoleGrant",
    "RoleUse",
    "Session",
    "StaffMember",
    "User",
]
