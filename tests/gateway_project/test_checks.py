"""What `manage.py check` says about a set-up."""

import dataclasses
from pathlib import Path

import pytest

from gateway_project import conf, firstrun
from gateway_project.checks import complaints


@pytest.fixture
def good(tmp_path: Path) -> conf.Config:
    return dataclasses.replace(
        conf.load(),
        data=tmp_path,
        secret_keys=(firstrun.new_secret_key(),),
        master_key=firstrun.new_master_key(),
    )


def ids(settings: conf.Config) -> list[str | None]:
    return [each.id for each in complaints(settings)]


def test_a_sound_setup_is_not_complained_about(good: conf.Config) -> None:
    assert complaints(good) == []


def test_an_open_secret_is(good: conf.Config) -> None:
    firstrun.make_private_folder(good.data / "secrets")
    path = good.data / "secrets" / "master_key"
    firstrun.make_secret(path, firstrun.new_master_key)
    path.chmod(0o644)
    assert ids(good) == ["gatehouse.E001"]


def test_weak_secrets_are(good: conf.Config) -> None:
    bad = dataclasses.replace(good, secret_keys=("short",), master_key="changeme")
    assert ids(bad) == ["gatehouse.E002", "gatehouse.E003"]


def test_debug_pages_and_missing_tls_are_where_others_can_reach_it(good: conf.Config) -> None:
    local = dataclasses.replace(good, debug=True)
    assert ids(local) == []
    exposed = dataclasses.replace(local, host="0.0.0.0", public_url="http://gateway:4000")
    assert ids(exposed) == ["gatehouse.E004", "gatehouse.W001"]
    behind = dataclasses.replace(exposed, debug=False, trusted_proxies=("10.0.0.0/8",))
    assert ids(behind) == []


def test_the_check_is_registered() -> None:
    from django.core.checks.registry import registry

    assert "check_setup" in {check.__name__ for check in registry.registered_checks}
