"""Where alerts are told: what an address may be, and the secret that signs what is sent there."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from gateway_project.addresses import AddressRefused, check_literal
from gateway_project.conf import config
from keys_app.crypto import decrypt, encrypt
from keys_app.models import AlertTarget


def check_address(target: AlertTarget) -> None:
    """ValidationError unless the address fits the kind; names are judged again when it is called."""
    if target.kind == AlertTarget.Kind.EMAIL:
        validate_email(target.address)
        return
    try:
        parts = urlsplit(target.address)
        usable = parts.scheme in ("https", "http") and parts.hostname and not parts.username
        port = parts.port
    except ValueError:
        usable, port = None, None
    if not usable or port == 0:
        raise ValidationError({"address": _("Takes an address such as https://hooks.example.org/gatehouse.")})
    if parts.scheme == "http" and not config().allow_private_upstreams:
        raise ValidationError({"address": _("Takes an https address.")})
    try:
        check_literal(str(parts.hostname), allow_private=config().allow_private_upstreams)
    except AddressRefused:
        raise ValidationError({"address": _("This address is one the gateway must not call.")}) from None


def shown_address(target: AlertTarget) -> str:
    """The address as it may be shown: whoever knows all of a Slack address may write there."""
    if target.kind != AlertTarget.Kind.SLACK:
        return target.address
    parts = urlsplit(target.address)
    return f"{parts.scheme}://{parts.netloc}/…"


def set_secret(target: AlertTarget, secret: str) -> None:
    """Keep the secret that signs, encrypted for this row."""
    target.secret_encrypted = encrypt(secret, _context(target)) if secret else ""


def read_secret(target: AlertTarget) -> str:
    """The secret, '' when there is none; raises Unreadable."""
    return decrypt(target.secret_encrypted, _context(target)) if target.secret_encrypted else ""


def _context(target: AlertTarget) -> str:
    return f"alert target:{target.pk}"
