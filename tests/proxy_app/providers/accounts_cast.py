"""Credentials for tests: made here, known nowhere else."""

import json
from functools import lru_cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

AWS_EXAMPLE = {
    "access_key_id": "AKIDEXAMPLE",
    "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "session_token": "session-token-canary",
}


@lru_cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def service_account(**fields: str) -> str:
    """The JSON file Google hands out, as pasted."""
    return json.dumps(
        {
            "type": "service_account",
            "project_id": "my-project",
            "private_key_id": "key-1",
            "private_key": pem(rsa_key()),
            "client_email": "gatehouse@my-project.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token",
            **fields,
        },
        indent=2,
    )
