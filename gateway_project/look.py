"""Unfold's settings: name, colours, and the one navigation that /ui and /admin share."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def is_admin(request: HttpRequest) -> bool:
    """Whether the admin's pages stand in this person's navigation."""
    user = request.user
    return bool(user.is_active and user.is_staff and user.is_superuser)


def is_manager(request: HttpRequest) -> bool:
    """Whether the person has a say in a service."""
    return bool(getattr(request.user, "manages_services", False))


def is_overview(request: HttpRequest) -> bool:
    """The Overview's address begins every other page's; Unfold would mark it on all of them."""
    return request.path == str(reverse_lazy("ui:overview"))


def _page(title: Any, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(name)}


#: Pages of a range, an environment and a service take that of the page they are opened from.
CHOSEN = {"keeps_choice": True}


def _control(title: Any, icon: str, model: str) -> dict[str, Any]:
    return {**_page(title, icon, f"admin:{model}_changelist"), "permission": is_admin}


def window_styles(request: HttpRequest) -> str:
    """The frame that both have in common."""
    return static("gatehouse/window.css")


def our_styles(request: HttpRequest) -> str:
    """What of the admin's own the frame needs changed."""
    return static("gatehouse/admin.css")


def our_script(request: HttpRequest) -> str:
    """Names for what the admin's widgets leave without one."""
    return static("gatehouse/admin.js")


def our_mark(request: HttpRequest) -> str:
    return static("gatehouse/mark.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Gatehouse",
    "SITE_HEADER": "Gatehouse",
    "SITE_ICON": our_mark,
    "SITE_URL": reverse_lazy("ui:overview"),
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": our_mark}],
    "STYLES": [window_styles, our_styles],
    "SCRIPTS": [our_script],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        },
    },
    "COMMAND": {"search_models": True, "show_history": True},
    "SIDEBAR": {
        "show_search": False,
        "command_search": True,
        "show_all_applications": False,
        "navigation": [
            {
                "title": _("Observe"),
                "items": [
                    _page(_("Overview"), "monitoring", "ui:overview") | {"active": is_overview} | CHOSEN,
                    _page(_("Live"), "sensors", "ui:live") | {"counts": True} | CHOSEN,
                    _page(_("Requests"), "receipt_long", "ui:requests") | CHOSEN,
                    _page(_("Usage"), "leaderboard", "ui:usage") | CHOSEN,
                    _page(_("Budgets"), "account_balance_wallet", "ui:budgets"),
                    _page(_("Models"), "neurology", "ui:models") | CHOSEN,
                    _page(_("Prices"), "sell", "ui:prices") | CHOSEN,
                ],
            },
            {
                "title": _("Use"),
                "items": [
                    _page(_("Playground"), "forum", "ui:playground"),
                    _page(_("My keys"), "key", "keys:mine"),
                    _page(_("My services"), "apps", "keys:services") | {"permission": is_manager},
                    _page(_("Get started"), "rocket_launch", "ui:get-started"),
                ],
            },
            {
                "title": _("Control"),
                "separator": True,
                "items": [
                    _control(_("Keys"), "key", "keys_app_virtualkey"),
                    _control(_("Users"), "person", "keys_app_user"),
                    _control(_("Services"), "apps", "keys_app_service"),
                    _control(_("Set budgets"), "account_balance_wallet", "keys_app_budget"),
                    _control(_("Rate limits"), "speed", "keys_app_ratelimit"),
                    _control(_("Model names"), "neurology", "proxy_app_model"),
                    _control(_("Deployments"), "alt_route", "proxy_app_deployment"),
                    _control(_("Providers"), "dns", "proxy_app_provider"),
                    _control(_("Set prices"), "sell", "usage_app_price"),
                    _control(_("Environments"), "tune", "keys_app_environmentdefaults"),
                    _control(_("Management keys"), "vpn_key", "keys_app_managementkey"),
                    _control(_("Alerts"), "notifications", "usage_app_alert"),
                    _control(_("Alert targets"), "notifications", "keys_app_alerttarget"),
                    _control(_("Audit"), "history", "keys_app_auditentry"),
                ],
            },
        ],
    },
}
