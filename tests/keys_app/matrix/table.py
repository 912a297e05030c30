"""The permission table: one row for every address. An address without a row fails the suite.

A row says of what kind an address is, the methods it takes and the scope a management key needs.
"""

from typing import NamedTuple


class Row(NamedTuple):
    kind: str
    methods: tuple[str, ...] = ("GET",)
    scope: str = ""


READ, ADD, BOTH = ("GET",), ("POST",), ("GET", "POST")
CHANGE, WHOLE = ("GET", "PATCH"), ("GET", "PATCH", "DELETE")

#: what each kind answers to who asks: allow, or the status of the refusal (302: to the sign-in)
ANSWERS: dict[str, dict[str, object]] = {
    "public": dict.fromkeys(
        ("anonymous", "viewer", "member", "manager", "other_manager", "admin", "master", "virtual_key"),
        "allow",
    ),
    # a page of the window: whoever signed in, over what they may see
    "page": {
        **dict.fromkeys(("viewer", "member", "manager", "other_manager", "admin"), "allow"),
        **dict.fromkeys(("anonymous", "master", "virtual_key"), 302),
    },
    # a page for who may make keys
    "maker": {
        **dict.fromkeys(("member", "manager", "other_manager", "admin"), "allow"),
        "viewer": 403,
        **dict.fromkeys(("anonymous", "master", "virtual_key"), 302),
    },
    "admin": {
        "admin": "allow",
        **dict.fromkeys(("viewer", "member", "manager", "other_manager"), 302),  # and 403 behind it
        **dict.fromkeys(("anonymous", "master", "virtual_key"), 302),
    },
    # where the admin sends who may not enter: strangers to the sign-in, everybody else is refused
    "door": {
        **dict.fromkeys(("anonymous", "admin", "master", "virtual_key"), "allow"),
        **dict.fromkeys(("viewer", "member", "manager", "other_manager"), 403),
    },
    "control": {
        **dict.fromkeys(("admin", "master"), "allow"),
        **dict.fromkeys(("viewer", "member", "manager", "other_manager"), 403),
        **dict.fromkeys(("anonymous", "virtual_key"), 401),
    },
    # what a service's managers set within it: theirs; one row's are in test_managing
    "managed": {
        **dict.fromkeys(("manager", "other_manager", "admin", "master"), "allow"),
        **dict.fromkeys(("viewer", "member"), 403),
        **dict.fromkeys(("anonymous", "virtual_key"), 401),
    },
    # lists of keys: everybody theirs; one key's rows are in KEY_ACTIONS
    "keys": {
        **dict.fromkeys(("viewer", "member", "manager", "other_manager", "admin", "master"), "allow"),
        **dict.fromkeys(("anonymous", "virtual_key"), 401),
    },
    "usage": {
        **dict.fromkeys(
            ("viewer", "member", "manager", "other_manager", "admin", "master", "virtual_key"), "allow"
        ),
        "anonymous": 401,
    },
    # what calls were charged: an admin's
    "corrector": {
        "admin": "allow",
        **dict.fromkeys(("viewer", "member", "manager", "other_manager"), 403),
        **dict.fromkeys(("anonymous", "master", "virtual_key"), 302),
    },
    # what was said in a call: whoever may read it; the right is given one by one
    "reader": {
        "admin": "allow",
        **dict.fromkeys(("viewer", "member", "manager", "other_manager"), 403),
        **dict.fromkeys(("anonymous", "master", "virtual_key"), 401),
    },
    # ending calls in flight: those one sees, but a viewer none
    "stop": {
        **dict.fromkeys(("member", "manager", "other_manager", "admin", "master", "virtual_key"), "allow"),
        "viewer": 403,
        "anonymous": 401,
    },
    "own": {
        "virtual_key": "allow",
        **dict.fromkeys(
            ("anonymous", "viewer", "member", "manager", "other_manager", "admin", "master"), 401
        ),
    },
    "litellm": {
        "master": "allow",
        **dict.fromkeys(
            ("anonymous", "viewer", "member", "manager", "other_manager", "admin", "virtual_key"), 401
        ),
    },
}

TABLE: dict[str, Row] = {
    "": Row("public"),
    "favicon.ico": Row("public"),
    "admin/login/": Row("door"),
    "ui/": Row("page"),
    "ui/live/": Row("page"),
    "ui/requests/": Row("page"),
    "ui/requests/<uuid:request_id>/": Row("page"),
    "ui/requests/views/": Row("page", ADD),
    "ui/requests/views/<uuid:view_id>/": Row("page", ADD),
    "ui/usage/": Row("page"),
    "ui/budgets/": Row("page"),
    "ui/budgets/<uuid:budget_id>/": Row("page"),
    "ui/models/": Row("page"),
    "ui/prices/": Row("page"),
    "ui/prices/<uuid:price_id>/correction/": Row("corrector", BOTH),
    "ui/playground/": Row("page"),
    "ui/playground/grant/": Row("page", ADD),  # one for a key one may use: see test_playground
    "ui/find/": Row("page"),
    "ui/exports/": Row("page", BOTH),
    "ui/exports/<uuid:export_id>/": Row("page"),
    "ui/get-started/": Row("page"),
    "ui/sign-in/": Row("public", BOTH),
    "ui/sign-out/": Row("public", ADD),
    "ui/theme.css": Row("public"),
    "ui/language/": Row("public", ADD),
    "ui/keys/": Row("page"),
    "ui/keys/new/": Row("maker", BOTH),
    "ui/keys/<uuid:key_id>/": Row("page"),
    "ui/keys/<uuid:key_id>/edit/": Row("page", BOTH),
    "ui/keys/<uuid:key_id>/<slug:action>/": Row("page", ADD),
    "ui/services/": Row("page"),
    "ui/services/<uuid:service_id>/": Row("page", BOTH),
    "ui/sessions/": Row("page", BOTH),
    "ui/password/<str:token>/": Row("public", BOTH),  # the token is the right
    "api/v1/key": Row("own"),
    "api/v1/keys/": Row("keys", BOTH, "keys"),
    "api/v1/keys/bulk/": Row("keys", ADD, "keys"),
    "api/v1/keys/import/": Row("control", ADD, "keys"),
    "api/v1/keys/export/": Row("keys", READ, "keys"),
    "api/v1/keys/unused/": Row("keys", READ, "keys"),
    "api/v1/keys/<str:pk>/": Row("keys", WHOLE, "keys"),
    "api/v1/keys/<str:pk>/block/": Row("keys", ADD, "keys"),
    "api/v1/keys/<str:pk>/unblock/": Row("keys", ADD, "keys"),
    "api/v1/keys/<str:pk>/rotate/": Row("keys", ADD, "keys"),
    "api/v1/keys/<str:pk>/clone/": Row("keys", ADD, "keys"),
    "api/v1/keys/<str:pk>/policy/": Row("keys", READ, "keys"),
    "api/v1/services/": Row("control", BOTH, "people"),
    "api/v1/services/<str:pk>/": Row("control", CHANGE, "people"),
    "api/v1/services/<str:pk>/members/": Row("managed", BOTH, "people"),
    "api/v1/services/<str:pk>/members/<str:user>/": Row("managed", ("DELETE",), "people"),
    "api/v1/users/": Row("control", BOTH, "people"),
    "api/v1/users/<str:pk>/": Row("control", CHANGE, "people"),
    "api/v1/users/<str:pk>/link/": Row("control", ADD, "people"),
    "api/v1/users/<str:pk>/offboarding/": Row("control", BOTH, "people"),
    "api/v1/users/<str:pk>/sessions/": Row("control", ("GET", "DELETE"), "people"),
    "api/v1/budgets/": Row("managed", BOTH, "allowances"),
    "api/v1/budgets/<str:pk>/": Row("managed", WHOLE, "allowances"),
    "api/v1/budgets/<str:pk>/increase/": Row("managed", ADD, "allowances"),
    "api/v1/budgets/<str:pk>/top-ups/": Row("managed", BOTH, "allowances"),
    "api/v1/limits/": Row("managed", BOTH, "allowances"),
    "api/v1/limits/<str:pk>/": Row("managed", WHOLE, "allowances"),
    "api/v1/environments/": Row("control", READ, "allowances"),
    "api/v1/environments/<str:environment>/": Row("control", ("PATCH",), "allowances"),
    "api/v1/alert-targets/": Row("control", BOTH, "allowances"),
    "api/v1/alert-targets/<str:pk>/": Row("control", WHOLE, "allowances"),
    "api/v1/management-keys/": Row("control", BOTH, "access"),
    "api/v1/management-keys/<str:pk>/": Row("control", ("DELETE",), "access"),
    "api/v1/management-keys/<str:pk>/block/": Row("control", ADD, "access"),
    "api/v1/audit/": Row("control", READ, "audit"),
    "api/v1/providers/": Row("control", BOTH, "catalogue"),
    "api/v1/providers/<str:pk>/": Row("control", CHANGE, "catalogue"),
    "api/v1/providers/<str:pk>/test/": Row("control", ADD, "catalogue"),
    "api/v1/providers/<str:pk>/models/": Row("control", READ, "catalogue"),
    "api/v1/models/": Row("control", BOTH, "catalogue"),
    "api/v1/models/<str:pk>/": Row("control", CHANGE, "catalogue"),
    "api/v1/deployments/": Row("control", BOTH, "catalogue"),
    "api/v1/deployments/<str:pk>/": Row("control", CHANGE, "catalogue"),
    "api/v1/deployments/<str:pk>/test/": Row("control", ADD, "catalogue"),
    "api/v1/route/explain/": Row("keys", ADD, "keys"),
    "api/v1/key/requests": Row("own"),
    "api/v1/requests/stop": Row("stop", ADD, "calls"),
    "api/v1/requests/<str:pk>/stop": Row("stop", ADD, "calls"),
    "api/v1/requests/": Row("usage", READ, "usage"),
    "api/v1/requests/<str:pk>/": Row("usage", READ, "usage"),
    "api/v1/requests/<str:pk>/replay/": Row("reader"),
    "api/v1/usage/": Row("usage", READ, "usage"),
    "api/schema/": Row("control"),
    "api/docs/": Row("control"),
    "key/generate": Row("litellm", ADD, "keys"),
    "key/update": Row("litellm", ADD, "keys"),
    "key/block": Row("litellm", ADD, "keys"),
    "key/unblock": Row("litellm", ADD, "keys"),
    "key/delete": Row("litellm", ADD, "keys"),
    "key/info": Row("litellm", READ, "keys"),
    "key/list": Row("litellm", READ, "keys"),
    "key/^.*$": Row("litellm", BOTH, "keys"),
}

#: the admin's own addresses are all of one kind
ADMIN_PREFIX = "admin/"
ADMIN_OPEN = frozenset({"admin/login/", "admin/logout/", "admin/jsi18n/"})

#: one key's actions: (method, end of the address) -> whose key -> who is allowed; the others get 403
#: when they see the key, 404 when they do not. Management keys with the scope always may.
SEES = {
    "member": {"member", "admin"},
    "viewer": {"viewer", "admin"},
    "service": {"manager", "admin"},
    "both": {"member", "manager", "admin"},
    "stranger": {"other_manager", "admin"},
}
ACTS = {
    "member": {"member", "admin"},
    "viewer": {"admin"},
    "service": {"manager", "admin"},
    "both": {"member", "manager", "admin"},
    "stranger": {"other_manager", "admin"},
}
NOBODY_ELSE = {whose: {"admin"} for whose in SEES}
KEY_ACTIONS: dict[tuple[str, str], dict[str, set[str]]] = {
    ("GET", ""): SEES,
    ("PATCH", ""): ACTS,
    ("DELETE", ""): NOBODY_ELSE,
    ("POST", "block/"): ACTS,
    ("POST", "unblock/"): NOBODY_ELSE,
    ("POST", "rotate/"): ACTS,
    ("POST", "clone/"): NOBODY_ELSE,
    ("GET", "policy/"): SEES,
}

#: a field of a key's body -> who may change it on a key that they may act on
FIELDS: dict[str, tuple[object, set[str]]] = {
    "name": ("renamed", {"member", "manager", "admin"}),
    "user": ("alice", {"admin"}),
    "service": ("search", {"admin"}),
    "environment": ("test", {"manager", "admin"}),
    "models": (["gpt-*"], {"member", "manager", "admin"}),
    "no_models": (True, {"member", "manager", "admin"}),
    "endpoints": (["chat.completions"], {"member", "manager", "admin"}),
    "networks": (["10.0.0.0/8"], {"member", "manager", "admin"}),
    "origins": (["https://app.example.org"], {"manager", "admin"}),
    "expires_at": ("2099-01-01T00:00:00Z", {"member", "manager", "admin"}),
    "trusts_identity_headers": (True, {"admin"}),
    "identity_secret": ("a secret of the chat app, 40 letters long", {"admin"}),
    "reports_cost": (True, {"member", "manager", "admin"}),
    "allows_unpriced": (True, {"admin"}),
    "budgets": ([{"amount_usd": "1", "period": "day"}], {"manager", "admin"}),
    "limits": ({"parallel": 1}, {"manager", "admin"}),
}
