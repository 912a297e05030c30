"""How the OpenAPI description names the way to authenticate at the usage endpoints."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class MasterOrVirtualKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "usage_app.api.authentication.MasterOrVirtualKey"
    name = "anyKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "The management key for everything, a virtual key for its own calls.",
        }
