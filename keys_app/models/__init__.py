"""Who may do what: people, services, virtual keys, and what limits them."""

from keys_app.models.allowances import Budget, RateLimit, Scope
from keys_app.models.key import Environment, KeyUse, VirtualKey
from keys_app.models.people import Membership, Service, User
from keys_app.models.policy import PolicyChange, PolicyVersion
from keys_app.models.process import WorkerProcess

__all__ = [
    "Budget",
    "Environment",
    "KeyUse",
    "Membership",
    "PolicyChange",
    "PolicyVersion",
    "RateLimit",
    "Scope",
    "Service",
    "User",
    "VirtualKey",
    "WorkerProcess",
]
