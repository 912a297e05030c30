"""The `llm` command's own models through Gatehouse, before three kinds of provider."""

import json
from typing import Any

import llm
import pytest
from llm.default_plugins.openai_models import Chat, Responses

from tests.clients.gateway import KINDS, Gate
from tests.upstream.script import FORECAST, FORECAST_SCHEMA, HELLO

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("making", [Chat, Responses], ids=["chat", "responses"])
def test_llm_hears_streams_and_runs_a_tool(gate: Gate, making: Any, kind: str) -> None:
    model = making(
        f"gatehouse-{kind}",
        model_name=f"{kind}-mock",
        api_base=f"{gate.server.url}/v1",
        supports_tools=True,
        supports_schema=True,
    )
    assert model.prompt("hello", key=gate.key, stream=False).text() == HELLO
    assert "".join(model.prompt("hello", key=gate.key, stream=True)) == HELLO

    def get_weather(city: str, unit: str) -> str:
        """The weather in a city."""
        return f"sun in {city}"

    done = model.chain("tools:2", tools=[llm.Tool.function(get_weather)], key=gate.key, stream=False)
    assert done.text().endswith("The tools said: sun in Seoul | sun in São Paulo.")
    forecast = model.prompt("json", schema=FORECAST_SCHEMA, key=gate.key, stream=False)
    assert json.loads(forecast.text()) == FORECAST
