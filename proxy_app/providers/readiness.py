"""Why a provider's credential is of no use, in words that follow the provider's name. Pure."""

from collections.abc import Mapping

#: What installs the library that signs.
REMEDY = "pip install --require-hashes -r requirements-bedrock.txt"
#: `ProviderEntry.credential_state` -> what is said of the provider; "ok" is none of them.
PROBLEMS: Mapping[str, str] = {
    "missing": "has no credential",
    "unreadable": "has a credential that cannot be read with the present secret keys",
    "not_an_account": "has a credential that is not what its kind needs",
    "cannot_sign": f"needs botocore to sign with AWS access keys: {REMEDY}",
}
