"""What a Gemini body cannot ask of other providers, and what is no Gemini body: a 400 with the name."""

from typing import Any

import pytest

from gateway_project.errors import BadRequest, GatehouseError, InvalidBody, UnsupportedContent
from gateway_project.errors import UnsupportedParameter as Unsupported
from tests.proxy_app.formats.test_gemini_requests import NOW, TOOLS, build, parse


def refused(kind: type[GatehouseError], **body: Any) -> str | None:
    with pytest.raises(kind) as caught:
        build("openai_chat", **body)
    assert caught.value.param is not None and caught.value.param in caught.value.detail
    return caught.value.param


@pytest.mark.parametrize(
    ("part", "role", "param"),
    [
        ({"executableCode": {"code": "1"}}, "model", "executableCode"),
        ({"code_execution_result": {"output": "1"}}, "user", "codeExecutionResult"),
        ({"toolCall": {}}, "model", "toolCall"),
        ({"novel": 1}, "user", "novel"),
        ({"functionCall": {"name": "f"}}, "user", "functionCall"),
        ({"inlineData": {"mimeType": "image/png", "data": "AA"}}, "model", "inlineData"),
        ({"inlineData": {"mimeType": "video/mp4", "data": "AA"}}, "user", ""),
        ({"fileData": {"fileUri": "https://x.test/a.mp4", "mimeType": "video/mp4"}}, "user", ""),
        ({"text": "x", "videoMetadata": {"fps": 1}}, "user", "videoMetadata"),
        ({"functionCall": {"name": "f", "willContinue": True}}, "model", "functionCall.willContinue"),
    ],
)
def test_a_part_that_cannot_be_carried_is_named(part: Any, role: str, param: str) -> None:
    found = refused(UnsupportedContent, contents=[{"role": role, "parts": [part]}])
    assert found == "contents[0].parts[0]" + (f".{param}" if param else "")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"contents": [{"role": "boss", "parts": []}]}, "contents[0].role"),
        ({"contents": [{"role": 7}]}, "contents[0].role"),
        ({"contents": [7]}, "contents[0]"),
        ({"contents": [{"parts": [7]}]}, "contents[0].parts[0]"),
        ({"contents": [{"parts": [{"text": 7}]}]}, "contents[0].parts[0].text"),
        ({"contents": [{"parts": [{"text": "a", "fileData": {}}]}]}, "contents[0].parts[0]"),
        (
            {"contents": [{"parts": [{"inlineData": {"data": "AA"}}]}]},
            "contents[0].parts[0].inlineData.mimeType",
        ),
        (
            {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": {}}}]}]},
            "contents[0].parts[0].functionResponse",
        ),
        ({"generationConfig": {"temperature": "hot"}}, "generationConfig.temperature"),
        ({"generationConfig": {"topK": 4.5}}, "generationConfig.topK"),
        ({"generationConfig": {"seed": 0.5}}, "generationConfig.seed"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingLevel": "HUGE"}}},
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": -2}}},
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        ({"generationConfig": {"responseMimeType": "text/html"}}, "generationConfig.responseMimeType"),
        (
            {"tools": TOOLS, "toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            {
                "tools": TOOLS,
                "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["x"]}},
            },
            "toolConfig.functionCallingConfig",
        ),
        ({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "toolConfig.functionCallingConfig"),
        ({"serviceTier": "gold"}, "serviceTier"),
        ({"tools": [{"functionDeclarations": [{}]}]}, "tools[0].functionDeclarations[0].name"),
    ],
)
def test_a_malformed_field_is_named(body: Any, param: str) -> None:
    assert refused(InvalidBody, **body) == param


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"cachedContent": "cachedContents/x"}, "cachedContent"),
        ({"novel": 1}, "novel"),
        ({"tools": [{"google_search": {}}]}, "tools[0]"),
        ({"tools": [{"codeExecution": {}}]}, "tools[0]"),
        (
            {"tools": [{"functionDeclarations": [{**NOW, "behavior": "NON_BLOCKING"}]}]},
            "tools[0].functionDeclarations[0].behavior",
        ),
        ({"toolConfig": {"retrievalConfig": {"languageCode": "en"}}}, "toolConfig.retrievalConfig"),
        (
            {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
            "generationConfig.responseModalities",
        ),
        ({"generationConfig": {"speech_config": {"x": 1}}}, "generationConfig.speechConfig"),
        ({"generationConfig": {"candidateCount": 2}}, "generationConfig.candidateCount"),
        ({"generationConfig": {"responseLogprobs": True}}, "generationConfig.responseLogprobs"),
        ({"generationConfig": {"responseMimeType": "text/x.enum"}}, "generationConfig.responseMimeType"),
        ({"generationConfig": {"continuationToken": "x"}}, "generationConfig.continuationToken"),
    ],
)
def test_a_parameter_that_cannot_be_carried_is_named(body: Any, param: str) -> None:
    assert refused(Unsupported, **body) == param


def test_a_schema_without_end_is_a_bad_request() -> None:
    schema: Any = {}
    for _ in range(900):
        schema = {"items": schema}
    with pytest.raises(BadRequest, match="nested too deep"):
        parse(tools=[{"functionDeclarations": [{"name": "f", "parameters": schema}]}])
