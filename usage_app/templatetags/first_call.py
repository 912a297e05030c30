"""The first call with a new key, for the page that shows its secret: the one place that knows it."""

from django import template

from gateway_project.conf import config
from keys_app.models import VirtualKey
from usage_app.snippets import BY_NAME
from usage_app.usable import models_of, suggested

register = template.Library()


@register.simple_tag
def first_call(key: VirtualKey, secret: str) -> str:
    """Lines for a shell: the secret where every client finds it, and a call; none if no model is allowed."""
    models = models_of(key)
    if not models:
        return ""
    call = BY_NAME["curl"].filled(config().public_url, suggested(models))
    return f"export GATEHOUSE_API_KEY={secret}\n{call}"
