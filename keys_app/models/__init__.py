"""Who may do what: people, services, virtual keys, and what limits them."""

from keys_app.models.access import AccessLink, IdempotentAnswer, ManagementKey, SignIn, SignInFailure
from keys_app.models.allowances import Budget, RateLimit, Scope, TopUp
from keys_app.models.auditing import AuditEntry
from keys_app.models.defaults import AlertTarget, EnvironmentDefaults
from keys_app.models.key import Environment, KeyUse, VirtualKey
from keys_app.models.people import Membership, Service, User
from keys_app.models.policy import PolicyChange, PolicyVersion
from keys_app.models.process import WorkerProcess

__all__ = [
    "AccessLink",
    "AlertTarget",
    "AuditEntry",
    "Budget",
    "Environment",
    "EnvironmentDefaults",
    "IdempotentAnswer",
    "KeyUse",
    "ManagementKey",
    "Membership",
    "PolicyChange",
    "PolicyVersion",
    "RateLimit",
    "Scope",
    "Service",
    "SignIn",
    "SignInFailure",
    "TopUp",
    "User",
    "VirtualKey",
    "WorkerProcess",
]
