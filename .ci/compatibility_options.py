"""More features of a call: how it is answered, sampled, thought over, and kept house for."""

from compatibility_features import MARK, SCHEMA, Feature, by_format, config, said

ANSWER_AND_HOUSEKEEPING: tuple[Feature, ...] = (
    Feature(
        "JSON mode",
        by_format(
            openai_chat={"response_format": {"type": "json_object"}},
            openai_responses={"text": {"format": {"type": "json_object"}}},
            gemini=config(responseMimeType="application/json"),
        ),
        ("json_object", "application/json", "valid JSON"),
        group="Answer",
    ),
    Feature(
        "JSON by a schema",
        by_format(
            openai_chat={
                "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
            },
            openai_responses={"text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}},
            anthropic={"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            gemini=config(responseMimeType="application/json", responseJsonSchema=SCHEMA),
        ),
    ),
    Feature(
        "Longest answer",
        by_format(
            openai_chat={"max_completion_tokens": 4321},
            openai_responses={"max_output_tokens": 4321},
            anthropic={"max_tokens": 4321},
            gemini=config(maxOutputTokens=4321),
        ),
        said("4321"),
    ),
    Feature(
        "Stop texts",
        by_format(
            openai_chat={"stop": [MARK]},
            anthropic={"stop_sequences": [MARK]},
            gemini=config(stopSequences=[MARK]),
        ),
    ),
    Feature(
        "`temperature`",
        by_format(
            openai_chat={"temperature": 0.4321},
            openai_responses={"temperature": 0.4321},
            anthropic={"temperature": 0.4321},
            gemini=config(temperature=0.4321),
        ),
        said("0.4321"),
        group="Sampling",
    ),
    Feature(
        "`top_p`",
        by_format(
            openai_chat={"top_p": 0.4321},
            openai_responses={"top_p": 0.4321},
            anthropic={"top_p": 0.4321},
            gemini=config(topP=0.4321),
        ),
        said("0.4321"),
    ),
    Feature(
        "`top_k`",
        by_format(
            openai_chat={"top_k": 4321},
            anthropic={"top_k": 4321},
            gemini=config(topK=4321),
        ),
        said("4321"),
    ),
    Feature("`seed`", by_format(openai_chat={"seed": 4321}, gemini=config(seed=4321)), said("4321")),
    Feature(
        "Penalties",
        by_format(
            openai_chat={"frequency_penalty": 0.4321},
            gemini=config(frequencyPenalty=0.4321),
        ),
        said("0.4321"),
    ),
    Feature(
        "Log probabilities",
        by_format(
            openai_chat={"logprobs": True, "top_logprobs": 4},
            openai_responses={"top_logprobs": 4},
            gemini=config(responseLogprobs=True, logprobs=4),
        ),
        ("ogprobs",),
    ),
    Feature("`logit_bias`", by_format(openai_chat={"logit_bias": {"4321": 1}}), said("4321")),
    Feature(
        "Several answers",
        by_format(
            openai_chat={"n": 3},
            gemini=config(candidateCount=3),
        ),
        ('"n":3', '"candidateCount":3'),
    ),
    Feature(
        "Reasoning effort",
        by_format(
            openai_chat={"reasoning_effort": "high"},
            openai_responses={"reasoning": {"effort": "high"}},
            anthropic={"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            gemini=config(thinkingConfig={"thinkingLevel": "HIGH"}),
        ),
        ('"high"', '"HIGH"', '"adaptive"', "thinkingBudget"),
        group="Reasoning",
    ),
    Feature(
        "Thinking budget",
        by_format(
            anthropic={"thinking": {"type": "enabled", "budget_tokens": 2048}},
            gemini=config(thinkingConfig={"thinkingBudget": 2048}),
        ),
        ("2048", '"low"', '"LOW"', "adaptive"),
    ),
    Feature(
        "Verbosity",
        by_format(
            openai_chat={"verbosity": "low"},
            openai_responses={"text": {"verbosity": "low"}},
        ),
        ('"verbosity":"low"',),
    ),
    Feature(
        "Cache breakpoints",
        by_format(
            openai_chat={
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
                    }
                ]
            },
            anthropic={
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}],
                    }
                ]
            },
        ),
        ("ephemeral", "cachePoint"),
        group="Housekeeping",
    ),
    Feature(
        "End user (recorded here, sent to nobody)",
        by_format(
            openai_chat={"user": MARK},
            openai_responses={"safety_identifier": MARK},
            anthropic={"metadata": {"user_id": MARK}},
        ),
    ),
    Feature(
        "Metadata",
        by_format(
            openai_chat={"metadata": {"topic": MARK}},
            openai_responses={"metadata": {"topic": MARK}},
            gemini={"labels": {"topic": MARK}},
        ),
    ),
    Feature(
        "Service tier",
        by_format(
            openai_chat={"service_tier": "priority"},
            openai_responses={"service_tier": "priority"},
            anthropic={"service_tier": "auto"},
            gemini={"serviceTier": "priority"},
        ),
        ("ervice_tier", "erviceTier", "serviceTier"),
    ),
    Feature(
        "An answer stored before",
        by_format(
            openai_responses={"previous_response_id": MARK},
            gemini={"cachedContent": f"cachedContents/{MARK}"},
        ),
    ),
    Feature(
        "Safety settings",
        by_format(
            gemini={"safetySettings": [{"category": MARK, "threshold": "BLOCK_NONE"}]},
        ),
    ),
    Feature(
        "Answers in sound or pictures",
        by_format(
            openai_chat={"modalities": ["text", "audio"], "audio": {"voice": "a", "format": "wav"}},
            gemini=config(responseModalities=["IMAGE"]),
        ),
        ("modalities", "Modalities"),
    ),
)
