"""Declared providers into rows. A provider of another hand with the same name is left alone."""

from typing import Any

from gateway_project.conf import config
from keys_app.crypto import Unreadable
from proxy_app.config_file.declared import Declared, DeclaredProvider
from proxy_app.config_file.litellm_providers import slug
from proxy_app.config_file.writing import write_if_changed
from proxy_app.credentials import credential_hint, read_credential, set_credential
from proxy_app.models import Provider
from proxy_app.providers.presets import PRESETS


def apply_providers(declared: Declared, notices: list[str]) -> dict[str, Provider]:
    """Provider rows by the names the file uses; a name that is taken gets the file's name behind it."""
    rows: dict[str, Provider] = {}
    for wanted in declared.providers.values():
        row = _find(wanted.name, declared.file)
        if row.name != wanted.name:
            notices.append(f"{declared.file}: the provider {wanted.name} exists; the file's is {row.name}.")
        credential_changed = _put_credential(row, wanted.credential)
        write_if_changed(row, _values(wanted, declared.file))
        if credential_changed:
            row.save(update_fields=["credential_encrypted", "credential_hint"])
        rows[wanted.name] = row
    kept = [row.pk for row in rows.values()]
    Provider.objects.filter(managed_by=declared.file, is_enabled=True).exclude(pk__in=kept).update(
        is_enabled=False
    )
    return rows


def _find(name: str, file: str) -> Provider:
    row = Provider.objects.filter(name=name).first()
    if row is not None and row.managed_by != file:
        name = slug(f"{name[:40]}-{file}")
        row = Provider.objects.filter(name=name, managed_by=file).first()
    return row or Provider(name=name)


def _values(wanted: DeclaredProvider, file: str) -> dict[str, Any]:
    private = wanted.may_be_private
    if private is None:
        private = PRESETS[wanted.kind].may_be_private or config().allow_private_upstreams
    return {
        "kind": wanted.kind,
        "base_url": wanted.base_url,
        "settings": dict(wanted.settings),
        "may_be_private": private,
        "is_enabled": wanted.is_enabled,
        "connect_timeout_s": wanted.timeouts.connect_s,
        "first_content_timeout_s": wanted.timeouts.first_content_s,
        "idle_timeout_s": wanted.timeouts.idle_s,
        "total_timeout_s": wanted.timeouts.total_s,
        "managed_by": file,
    }


def _put_credential(row: Provider, secret: str | None) -> bool:
    """Encrypt anew only when the secret is another; an unset variable leaves no old secret behind."""
    wanted = (secret or "").strip()
    try:
        same = read_credential(row) == wanted and row.credential_hint == credential_hint(wanted)
    except Unreadable:
        same = False
    if not same:
        set_credential(row, wanted)
    return not same
