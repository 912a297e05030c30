"""AWS Signature Version 4 by botocore, which is installed only where Bedrock is called with access keys."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from proxy_app.providers.accounts import AwsKeys

SERVICE = "bedrock"


@cache
def is_available() -> bool:
    """Whether requests can be signed here. Loads the library, so that the first call need not."""
    if find_spec("botocore") is None:
        return False
    import_module("botocore.auth")
    import_module("botocore.awsrequest")
    return True


def sign(
    keys: AwsKeys, region: str, method: str, url: str, content_type: str | None, body: bytes
) -> dict[str, str]:
    """Headers that prove a request: `authorization`, its date, the session token. Only what is sent as it
    stands here is signed; headers that a proxy may touch are not."""
    auth: Any = import_module("botocore.auth")
    request_of: Any = import_module("botocore.awsrequest")
    credentials_of: Any = import_module("botocore.credentials")
    credentials = credentials_of.Credentials(
        keys.access_key_id, keys.secret_access_key, keys.session_token or None
    )
    headers = {"content-type": content_type} if content_type else {}
    request = request_of.AWSRequest(method=method, url=url, data=body, headers=headers)
    auth.SigV4Auth(credentials, SERVICE, region).add_auth(request)
    return {name.lower(): str(value) for name, value in request.headers.items() if name != "content-type"}
