import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proxy_app.credentials import credential_hint
from proxy_app.providers.accounts import (
    AwsKeys,
    NotAnAccount,
    ServiceAccount,
    aws_credential,
    hint_of,
    read_account,
)
from tests.proxy_app.providers.accounts_cast import AWS_EXAMPLE, pem, service_account


def test_a_pasted_service_account_is_read() -> None:
    account = read_account("google-service-account", service_account())
    assert isinstance(account, ServiceAccount)
    assert (account.project_id, account.private_key_id) == ("my-project", "key-1")
    assert account.token_uri == "https://oauth2.googleapis.com/token"
    one_line = service_account().replace("\n", " ")  # what a field of one line makes of it
    assert read_account("google-service-account", one_line) == account


def test_nothing_secret_is_in_what_is_printed() -> None:
    account = read_account("google-service-account", service_account())
    keys = read_account("aws-sigv4", json.dumps(AWS_EXAMPLE))
    assert "PRIVATE KEY" not in repr(account)
    assert "wJalr" not in repr(keys) and "canary" not in repr(keys)


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("ya29.a-token", "whole JSON"),
        ("[]", "whole JSON"),
        ("{}", "client_email"),
        (service_account(private_key=""), "client_email"),
        (service_account(private_key="-----BEGIN PRIVATE KEY-----"), "RSA key"),
        (service_account(private_key=pem(ec.generate_private_key(ec.SECP256R1()))), "RSA key"),
    ],
)
def test_what_is_no_service_account_is_said_to_be_none(secret: str, words: str) -> None:
    with pytest.raises(NotAnAccount, match=words):
        read_account("google-service-account", secret)


def test_aws_keys_are_read_in_every_spelling_and_a_bedrock_key_is_a_plain_one() -> None:
    keys = AwsKeys(**AWS_EXAMPLE)
    assert read_account("aws-sigv4", aws_credential(*AWS_EXAMPLE.values())) == keys
    capitals = {"AccessKeyId": keys.access_key_id, "SecretAccessKey": keys.secret_access_key}
    assert read_account("aws-sigv4", json.dumps(capitals)) == AwsKeys(
        keys.access_key_id, keys.secret_access_key
    )
    assert read_account("aws-sigv4", "ABSKQmVkcm9ja0FQSUtleS0=") is None
    with pytest.raises(NotAnAccount, match="secret_access_key"):
        read_account("aws-sigv4", '{"access_key_id": "AKIA"}')


def test_other_kinds_have_no_account() -> None:
    assert read_account("bearer", "{}") is None
    assert read_account("google-service-account", "") is None


def test_a_hint_says_whose_account_it_is_and_nothing_secret() -> None:
    assert hint_of(service_account()) == "gatehouse@my-project.iam.gserviceaccount.com"
    assert credential_hint(service_account()) == "gatehouse@my-project.iam"
    assert credential_hint(json.dumps(AWS_EXAMPLE)) == "…MPLE"
    assert credential_hint('{"other": "secret-secret-secret"}') == "…"
    assert credential_hint("sk-0123456789abcdef") == "…cdef"
