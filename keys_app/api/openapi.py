"""How the OpenAPI description names the ways to authenticate."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ManagementScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "keys_app.api.authentication.ManagementAuthentication"
    name = "managementKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "The management key."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "keys_app.api.authentication.WindowSession"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "gatehouse_session",
            "description": "Signed in to the dashboard; changes need the X-CSRFToken header.",
        }


class VirtualKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "keys_app.api.authentication.VirtualKeyAuthentication"
    name = "virtualKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "A virtual key, about itself."}
