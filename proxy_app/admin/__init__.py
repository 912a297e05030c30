"""The admin's pages of providers, models, deployments and fallbacks."""

from proxy_app.admin import models, providers

__all__ = ["models", "providers"]
