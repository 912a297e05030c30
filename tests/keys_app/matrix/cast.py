"""Who asks, and the objects that are asked for: the axes of the permission matrix."""

from dataclasses import dataclass

from django.test import Client

from gateway_project.conf import config
from keys_app.issuing import issue_key
from keys_app.models import ManagementKey, Membership, Service, User, VirtualKey
from keys_app.secrets import MANAGEMENT_PREFIX, mint
from tests.keys_app.cast import person, signed_in, with_key

#: in the order the tables name them
ROLES = ("anonymous", "viewer", "member", "manager", "other_manager", "admin", "master", "virtual_key")
PEOPLE = ("viewer", "member", "manager", "other_manager", "admin")


@dataclass
class Cast:
    """The service is *checkout*; manager manages it, member and viewer belong to it."""

    clients: dict[str, Client]
    users: dict[str, User]
    services: dict[str, Service]
    keys: dict[str, VirtualKey]  # by whose they are

    def scoped(self, *scopes: str) -> Client:
        """A management key that may do this and nothing else."""
        minted = mint(MANAGEMENT_PREFIX)
        ManagementKey.objects.create(
            name="robot",
            secret_hash=minted.secret_hash,
            last_four=minted.last_four,
            scopes=list(scopes),
        )
        return with_key(minted.secret)


def assemble() -> Cast:
    users = {
        "viewer": person("vera", "viewer"),
        "member": person("mel", "member"),
        "manager": person("mona", "manager"),
        "other_manager": person("otto", "manager"),
        "admin": person("alice", "admin"),
    }
    services = {name: Service.objects.create(name=name) for name in ("checkout", "search")}
    for who, service, role in (
        ("viewer", "checkout", "manager"),  # a viewer changes nothing, whatever a service says
        ("member", "checkout", "member"),
        ("manager", "checkout", "manager"),
        ("other_manager", "search", "manager"),
    ):
        Membership.objects.create(user=users[who], service=services[service], role=role)
    keys = {
        "member": issue_key(name="mel's", user=users["member"])[0],
        "viewer": issue_key(name="vera's", user=users["viewer"])[0],
        "service": issue_key(name="checkout", service=services["checkout"])[0],
        "both": issue_key(name="mel's for checkout", service=services["checkout"], user=users["member"])[0],
        "stranger": issue_key(name="search", service=services["search"])[0],
    }
    _key, secret = issue_key(name="asks", user=users["member"])
    clients = {name: signed_in(user) for name, user in users.items()}
    clients["anonymous"] = Client()
    clients["master"] = with_key(config().master_key)
    clients["virtual_key"] = with_key(secret)
    return Cast(clients, users, services, keys)
