"""Every field of generateContent that is read when a body is translated, and what is left out of it, in
camelCase. A field that holds its type's first value is as good as not there: so protocol buffers have it.
"""

from typing import Final

from proxy_app.formats.gemini.spelling import respelt
from proxy_app.formats.knowing import Known, shape

_INLINE = shape("mimeType data displayName")
_FILE = shape("fileUri mimeType displayName")
_PART = shape(
    "text thought thoughtSignature",
    "partMetadata mediaResolution mediaProcessing",
    is_open=True,
    inlineData=_INLINE,
    fileData=_FILE,
    functionCall=shape("id name args partialArgs willContinue"),
    functionResponse=shape(
        "id name response willContinue", "scheduling", parts=shape("", inlineData=_INLINE, fileData=_FILE)
    ),
)
_CONTENT = shape("role", parts=_PART)
_FUNCTION = shape(
    "name description parameters parametersJsonSchema behavior", "", "response responseJsonSchema"
)

KNOWN: Final = Known(
    shape(
        "serviceTier labels",
        "safetySettings store model",
        contents=_CONTENT,
        systemInstruction=_CONTENT,
        tools=shape("", is_open=True, functionDeclarations=_FUNCTION),
        toolConfig=shape(
            "",
            functionCallingConfig=shape("mode allowedFunctionNames", "streamFunctionCallArguments"),
        ),
        generationConfig=shape(
            "temperature topP topK seed maxOutputTokens stopSequences candidateCount presencePenalty"
            " frequencyPenalty responseMimeType responseSchema responseJsonSchema responseModalities",
            "mediaResolution audioTimestamp enableEnhancedCivicAnswers routingConfig modelSelectionConfig"
            " modelConfig",
            thinkingConfig=shape("thinkingLevel thinkingBudget includeThoughts"),
        ),
    ),
    empty=(None, False, "", [], {}),
    spelt=respelt,
)
