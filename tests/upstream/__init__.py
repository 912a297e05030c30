"""A scripted provider for tests: real wire formats of OpenAI, Anthropic and Gemini, and their faults.

In a test: `async with MockUpstream() as up: …up.urls["openai"]…`. As a process:
`python -m tests.upstream --port 4010 --log seen.jsonl`.
"""

from tests.upstream.recording import Seen
from tests.upstream.script import FORECAST_SCHEMA, TOOL_SCHEMA, Script, script_for
from tests.upstream.server import CREDENTIALS, MockUpstream

__all__ = ["CREDENTIALS", "FORECAST_SCHEMA", "TOOL_SCHEMA", "MockUpstream", "Script", "Seen", "script_for"]
