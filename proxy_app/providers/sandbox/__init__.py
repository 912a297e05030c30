"""The built-in sandbox: a provider that needs no key and speaks the OpenAI chat format.

It knows no HTTP client and no framework: `answer` takes a request's parts and gives a reply's.
Everything it says is made from the request alone, so the same request gets the same answer.
"""

from proxy_app.providers.sandbox.models import SANDBOX_MODELS
from proxy_app.providers.sandbox.reply import SandboxCut, SandboxReply
from proxy_app.providers.sandbox.server import answer

__all__ = ["SANDBOX_MODELS", "SandboxCut", "SandboxReply", "answer"]
