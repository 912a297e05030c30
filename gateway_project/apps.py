"""The composition root as an app: it has no models, it only registers the system checks."""

from django.apps import AppConfig


class GatewayProjectConfig(AppConfig):
    name = "gateway_project"
    verbose_name = "Gatehouse"

    def ready(self) -> None:
        from gateway_project import checks  # noqa: F401
