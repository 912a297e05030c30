import io
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from gateway_project.clock import now
from gateway_project.conf import config
from gateway_project.env import BadSetting
from keys_app.heartbeat import refuse_second_admitter
from keys_app.issuing import find_key
from keys_app.models import Environment, PolicyVersion, User, VirtualKey, WorkerProcess
from proxy_app import setup, setup_database, setup_static
from proxy_app.models import Deployment, Model, Provider
from proxy_app.providers.presets import STARTER_MODELS
from proxy_app.setup_config import apply_config_file
from proxy_app.setup_database import SetupFailed, refuse_litellm
from usage_app.models import Price

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_static_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "prepare_static", lambda: False)


def prepare() -> dict[str, Any]:
    out = io.StringIO()
    call_command("prepare", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def everything() -> dict[str, list[Any]]:
    models = (User, VirtualKey, Provider, Model, Deployment, Price)
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


def test_the_first_start_prints_what_is_needed_and_the_second_changes_nothing():
    first = prepare()
    assert set(first) == {"admin_password", "key", "model", "notices", "providers"}
    admin = User.objects.get(username="admin")
    assert admin.check_password(first["admin_password"])
    assert (admin.role, admin.is_staff, admin.is_superuser) == ("admin", True, True)
    key = find_key(first["key"])
    assert key is not None
    assert (key.service.name, key.environment) == ("getting-started", Environment.TEST)
    assert first["model"] == "sandbox"
    assert Model.objects.filter(name__in=("sandbox", "sandbox/*")).count() == 2
    assert Price.objects.filter(source="list").count() > 1000
    before, version = everything(), PolicyVersion.objects.get().version
    second = prepare()
    assert (second["admin_password"], second["key"]) == (None, None)
    assert everything() == before
    assert PolicyVersion.objects.get().version == version


def test_a_given_password_is_used_and_not_printed(monkeypatch: pytest.MonkeyPatch):
    given = replace(config(), admin_password="a very long password")
    monkeypatch.setattr("keys_app.starting.config", lambda: given)
    first = prepare()
    assert first["admin_password"] is None
    assert User.objects.get(username="admin").check_password("a very long password")
    assert "a very long password" not in json.dumps(first)


def test_keys_in_the_environment_set_missing_providers_up_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-canary-000000000")
    first = prepare()
    assert first["providers"] == ["openai"]
    assert "canary" not in json.dumps(first)
    names = {starter.public_name for starter in STARTER_MODELS["openai"]}
    assert names <= set(Model.objects.values_list("name", flat=True))
    before = everything()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-another-one-111111111111")
    prepare()
    assert everything() == before


def test_a_model_that_differs_from_its_provider_s_others_starts_with_its_quirks(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-000000000")
    prepare()
    quirks = dict(Deployment.objects.values_list("upstream_model", "quirks"))
    assert quirks["gpt-4.1"] == {"no_reasoning": True}
    assert quirks["gpt-5.4-mini"] == {}


def process(**values: Any) -> WorkerProcess:
    fields: dict[str, Any] = {
        "host": socket.gethostname(), "pid": os.getpid(), "role": "all", "admits": True,
        "shares_limits": False, "started_at": now(), "seen_at": now(),
    }  # fmt: skip
    return WorkerProcess.objects.create(**{**fields, **values})


def test_a_second_process_that_admits_is_refused_with_its_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("keys_app.heartbeat.BEAT_S", 0.01)
    other = process(host="elsewhere", pid=4711)

    def beats() -> list[WorkerProcess]:
        WorkerProcess.objects.filter(pk=other.pk).update(seen_at=now())
        return [other]

    monkeypatch.setattr("keys_app.heartbeat._possibly_living", beats)
    with pytest.raises(CommandError, match=r"pid 4711 on elsewhere.*REDIS_URL"):
        prepare()
    assert not User.objects.filter(username="admin").exists()


def test_a_former_process_of_this_host_that_has_ended_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    def wait(pause_s: float) -> None:
        raise AssertionError("nobody is to be waited for")

    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    process(pid=gone.pid)
    monkeypatch.setattr(setup, "refuse_second_admitter", partial(refuse_second_admitter, wait=wait))
    assert prepare()["key"]


def test_a_deleted_sandbox_model_stays_deleted():
    prepare()
    Model.objects.get(name="sandbox/*").delete()
    prepare()
    assert not Model.objects.filter(name="sandbox/*").exists()


def test_a_database_of_litellm_is_refused_with_a_sentence():
    with pytest.raises(SetupFailed, match="LiteLLM"):
        refuse_litellm({"LiteLLM_VerificationToken", "_prisma_migrations"})
    refuse_litellm({"LiteLLM_VerificationToken", "keys_app_virtualkey"})
    refuse_litellm(set())


def test_a_refused_start_is_a_sentence_and_no_traceback(monkeypatch: pytest.MonkeyPatch):
    def refuse() -> bool:
        raise SetupFailed("The migration usage_app.0009_x failed: no such column.")

    monkeypatch.setattr(setup, "prepare_database", refuse)
    with pytest.raises(CommandError, match=r"usage_app\.0009_x"):
        prepare()


def test_a_failed_migration_is_named(monkeypatch: pytest.MonkeyPatch):
    def fail(command: Any, **options: Any) -> None:
        command.migration_progress_callback("apply_start", "usage_app.0009_x")
        raise RuntimeError("no such column: x\nmore")

    monkeypatch.setattr(setup_database, "call_command", fail)
    with pytest.raises(SetupFailed, match=r"usage_app\.0009_x failed: no such column: x\."):
        setup_database.migrate()


def test_nothing_is_missing_in_a_migrated_database():
    assert setup_database.missing_migrations() == set()
    assert setup_database.prepare_database() is False


def test_make_key_and_reset_admin_give_again_what_was_printed_once():
    prepare()
    out = io.StringIO()
    call_command("make_key", stdout=out)
    key = find_key(out.getvalue().strip())
    assert key is not None
    assert key.service.name == "getting-started"
    User.objects.filter(username="admin").update(is_active=False)
    out = io.StringIO()
    call_command("reset_admin", stdout=out)
    admin = User.objects.get(username="admin")
    assert admin.is_active
    assert admin.check_password(out.getvalue().strip())


def test_static_files_are_collected_again_only_when_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
):
    settings.STATIC_ROOT = tmp_path
    calls: list[str] = []
    monkeypatch.setattr(setup_static, "call_command", lambda name, **options: calls.append(name))
    assert setup_static.prepare_static() is True
    assert setup_static.prepare_static() is False
    monkeypatch.setattr(setup_static, "fingerprint", lambda: "changed")
    assert setup_static.prepare_static() is True
    assert calls == ["collectstatic", "collectstatic"]


def config_with(tmp_path: Path, master: str, **changes: Any) -> Any:
    file = tmp_path / "config.yaml"
    file.write_text(f"general_settings: {{master_key: {master}}}")
    return replace(config(), data=tmp_path, config_file=file, **changes)


def test_the_environment_s_master_key_wins_and_says_so(tmp_path: Path):
    notices = apply_config_file(config_with(tmp_path, "sk-of-the-file-0123456789"))
    assert any("GATEHOUSE_MASTER_KEY wins" in notice for notice in notices)
    assert not (tmp_path / "secrets" / "config_master_key").exists()


def test_the_file_s_master_key_is_kept_for_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GATEHOUSE_MASTER_KEY")
    apply_config_file(config_with(tmp_path, "sk-of-the-file-0123456789"))
    kept = tmp_path / "secrets" / "config_master_key"
    assert kept.read_text().strip() == "sk-of-the-file-0123456789"
    apply_config_file(replace(config(), data=tmp_path, config_file=None))
    assert not kept.exists()


def test_litellm_s_example_key_is_for_loopback_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GATEHOUSE_MASTER_KEY")
    apply_config_file(config_with(tmp_path, "sk-1234", host="127.0.0.1"))
    with pytest.raises(SetupFailed, match="well-known"):
        apply_config_file(config_with(tmp_path, "sk-1234", host="0.0.0.0"))


def test_a_second_admitting_process_is_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def another(settings: object) -> None:
        raise BadSetting("Another Gatehouse process already serves calls: set REDIS_URL for both.")

    monkeypatch.setattr(setup, "refuse_second_admitter", another)
    with pytest.raises(CommandError, match="REDIS_URL"):
        prepare()
    assert not User.objects.exists()
