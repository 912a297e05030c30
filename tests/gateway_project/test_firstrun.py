"""The data folder and its secrets: private, whole, made once, and never weak."""

import base64
import dataclasses
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway_project import conf, firstrun
from gateway_project.env import BadSetting


@pytest.fixture
def config(tmp_path: Path) -> conf.Config:
    """Nothing set, nothing made yet."""
    folder = tmp_path / "data"
    return dataclasses.replace(conf.load(), data=folder, master_key="", secret_keys=(), admin_password="")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_start_makes_private_secrets(config: conf.Config) -> None:
    firstrun.prepare_data_folder(config)
    folder = config.data / "secrets"
    assert mode(config.data) == mode(folder) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == [
        "django_secret_key",
        "master_key",
        "secret_keys",
    ]
    assert {mode(path) for path in folder.iterdir()} == {0o600}
    assert (folder / "master_key").read_text().startswith("sk-gh-master-")
    assert len(base64.urlsafe_b64decode((folder / "secret_keys").read_text())) == 32


def test_the_second_start_changes_nothing(config: conf.Config) -> None:
    firstrun.prepare_data_folder(config)
    before = {path.name: path.read_text() for path in (config.data / "secrets").iterdir()}
    firstrun.prepare_data_folder(config)
    assert {path.name: path.read_text() for path in (config.data / "secrets").iterdir()} == before


def test_a_loose_umask_does_not_open_the_secrets(config: conf.Config) -> None:
    former = os.umask(0)
    try:
        firstrun.prepare_data_folder(config)
    finally:
        os.umask(former)
    assert mode(config.data / "secrets" / "master_key") == 0o600


def test_what_the_environment_sets_is_not_generated(config: conf.Config) -> None:
    given = dataclasses.replace(config, master_key="sk-from-the-environment")
    firstrun.prepare_data_folder(given)
    assert not (config.data / "secrets" / "master_key").exists()
    assert (config.data / "secrets" / "secret_keys").exists()


def test_of_two_first_starts_at_once_one_wins(config: conf.Config) -> None:
    firstrun.make_private_folder(config.data)
    path = config.data / "secret"

    def lose_the_race() -> str:
        firstrun.make_secret(path, lambda: "the winner's")
        return "the loser's"

    firstrun.make_secret(path, lose_the_race)
    assert path.read_text() == "the winner's\n"
    assert [each.name for each in config.data.iterdir()] == ["secret"]


def test_an_empty_folder_is_made_private(config: conf.Config) -> None:
    config.data.mkdir(mode=0o755)
    firstrun.prepare_data_folder(config)
    assert mode(config.data) == 0o700


def test_a_used_folder_that_others_may_open_is_refused(config: conf.Config) -> None:
    config.data.mkdir(mode=0o755)
    (config.data / "something").touch()
    with pytest.raises(BadSetting, match="chmod 700"):
        firstrun.prepare_data_folder(config)


def test_a_secret_that_others_may_read_is_refused(config: conf.Config) -> None:
    firstrun.prepare_data_folder(config)
    (config.data / "secrets" / "master_key").chmod(0o644)
    with pytest.raises(BadSetting, match="chmod 600"):
        firstrun.prepare_data_folder(config)


def test_an_empty_secret_is_refused(config: conf.Config) -> None:
    firstrun.prepare_data_folder(config)
    (config.data / "secrets" / "secret_keys").write_text("\n")
    with pytest.raises(BadSetting, match="is empty"):
        firstrun.prepare_data_folder(config)


def test_a_file_where_the_folder_should_be_is_a_sentence(config: conf.Config) -> None:
    config.data.write_text("")
    with pytest.raises(BadSetting, match="set GATEHOUSE_DATA"):
        firstrun.prepare_data_folder(config)


@pytest.mark.parametrize("key", ["", "sk-1234", "changeme", "Password", "short"])
def test_a_weak_master_key_is_refused_where_others_can_reach_it(key: str) -> None:
    with pytest.raises(BadSetting):
        firstrun.check_master_key(key, "0.0.0.0")


def test_the_example_key_is_for_loopback_only() -> None:
    firstrun.check_master_key("sk-1234", "127.0.0.1")
    with pytest.raises(BadSetting, match="well-known"):
        firstrun.check_master_key("changeme", "127.0.0.1")


@pytest.mark.parametrize("key", ["", "x", "ä" * 44, "AAAA", base64.urlsafe_b64encode(bytes(32)).decode()])
def test_what_is_no_encryption_key_is_refused_and_not_shown(config: conf.Config, key: str) -> None:
    assert not firstrun.is_secret_key(key)
    bad = dataclasses.replace(config, secret_keys=(key,), master_key=firstrun.new_master_key())
    with pytest.raises(BadSetting) as refused:
        firstrun.check_secrets(bad)
    assert not key or f" {key} " not in str(refused.value)


def test_what_is_generated_is_accepted(config: conf.Config) -> None:
    good = dataclasses.replace(
        config, secret_keys=(firstrun.new_secret_key(),), master_key=firstrun.new_master_key(), host="0.0.0.0"
    )
    firstrun.check_secrets(good)


def test_a_well_known_admin_password_is_refused(config: conf.Config) -> None:
    bad = dataclasses.replace(
        config,
        secret_keys=(firstrun.new_secret_key(),),
        master_key=firstrun.new_master_key(),
        admin_password="changeme",
    )
    with pytest.raises(BadSetting, match="GATEHOUSE_ADMIN_PASSWORD"):
        firstrun.check_secrets(bad)


def test_first_starts_in_parallel_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway_project import firstrun\n"
        "path = Path(sys.argv[1]); firstrun.make_secret(path, firstrun.new_master_key)\n"
        "print(path.read_text().strip())"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "key")], stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert len({racer.communicate()[0] for racer in racers}) == 1
