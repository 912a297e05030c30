"""The built-in sandbox: a provider that needs no key and speaks the OpenAI chat format.

It knows no HTTP client and no framework: `answer` takes a request's parts and gives a reply's.
Everything it says is made from the request alone, so the same request gets the same answer; only files
and batches are kept, where a folder is given.
"""

from proxy_app.providers.sandbox.models import SANDBOX_MODELS
from proxy_app.providers.sandbox.reply import SandboxCut, SandboxReply
from proxy_app.providers.sandbox.server import answer
from proxy_app.providers.sandbox.shelf import Shelf

__all__ = ["SANDBOX_MODELS", "SandboxCut", "SandboxReply", "Shelf", "answer"]
