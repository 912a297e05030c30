"""How a call may travel: providers, public models, deployments, fallbacks."""

from proxy_app.models.catalogue import Deployment, Fallback, Model
from proxy_app.models.provider import Provider

__all__ = ["Deployment", "Fallback", "Model", "Provider"]
