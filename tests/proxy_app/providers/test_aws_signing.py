"""Signatures: botocore's own for the same request, and the example AWS publishes."""

import datetime
import hashlib
import hmac

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from proxy_app.providers import aws_signing
from proxy_app.providers.accounts import AwsKeys
from tests.proxy_app.providers.accounts_cast import AWS_EXAMPLE

NOW = datetime.datetime(2015, 8, 30, 12, 36, 0, tzinfo=datetime.UTC)
URL = "https://bedrock-runtime.us-east-1.amazonaws.com/model/anthropic.claude-3-5-haiku-20241022-v1%3A0/converse"


@pytest.fixture(autouse=True)
def a_day_in_2015(monkeypatch: pytest.MonkeyPatch) -> None:
    def now(remove_tzinfo: bool = True) -> datetime.datetime:
        return NOW.replace(tzinfo=None) if remove_tzinfo else NOW

    monkeypatch.setattr("botocore.auth.get_current_datetime", now)


def test_the_signature_is_botocore_s_own() -> None:
    keys = AwsKeys(**AWS_EXAMPLE)
    signed = aws_signing.sign(keys, "us-east-1", "POST", URL, "application/json", b'{"messages":[]}')
    theirs = AWSRequest("POST", URL, {"content-type": "application/json"}, b'{"messages":[]}')
    credentials = Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token)
    SigV4Auth(credentials, "bedrock", "us-east-1").add_auth(theirs)
    assert signed["authorization"] == theirs.headers["Authorization"]
    assert signed["x-amz-security-token"] == "session-token-canary"
    assert signed["x-amz-date"] == "20150830T123600Z"
    assert "content-type;host;x-amz-date;x-amz-security-token" in signed["authorization"]


def test_a_known_signature_stays_as_it_is() -> None:
    """Computed from the published steps: canonical request, string to sign, derived key."""
    keys = AwsKeys(AWS_EXAMPLE["access_key_id"], AWS_EXAMPLE["secret_access_key"])
    signed = aws_signing.sign(
        keys,
        "eu-west-1",
        "GET",
        "https://bedrock.eu-west-1.amazonaws.com/foundation-models?byOutputModality=TEXT",
        None,
        b"",
    )
    empty = hashlib.sha256(b"").hexdigest()
    canonical = (
        "GET\n/foundation-models\nbyOutputModality=TEXT\nhost:bedrock.eu-west-1.amazonaws.com\n"
        f"x-amz-date:20150830T123600Z\n\nhost;x-amz-date\n{empty}"
    )
    scope = "20150830/eu-west-1/bedrock/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n20150830T123600Z\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + keys.secret_access_key.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    expected = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    assert signed["authorization"].endswith(f"Signature={expected}")
    assert "x-amz-security-token" not in signed


def test_secrets_are_in_no_header() -> None:
    keys = AwsKeys(**AWS_EXAMPLE)
    signed = aws_signing.sign(keys, "us-east-1", "POST", URL, None, b"{}")
    assert keys.secret_access_key not in str(signed)
