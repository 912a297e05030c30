"""Images: `/v1/images/generations` and `/v1/images/edits`, whole and streamed.

Wire facts: the OpenAI SDK's `types/image_generate_params.py`, `images_response.py` and
`image_gen_completed_event.py`. GPT image models tell tokens; others are billed by the image.
"""

from collections.abc import Mapping
from typing import Any

from gateway_project.errors import InvalidBody
from proxy_app.formats.claims import claimed_end_user
from proxy_app.formats.reading import Fields, as_count, as_list, as_object, as_text, wrong_type
from proxy_app.operations.contract import Asked, Operation
from proxy_app.operations.facts import bytes_of, model_of, required_text
from proxy_app.operations.forms import flag_in, form_fields, number_in
from proxy_app.operations.relaying import relay
from proxy_app.wire import JSON, Address, CallFacts, Usage

MOST_IMAGES = 10
MOST_SENT = 16  # of one edit: OpenAI's API reference
#: Tokens of the largest image of a quality, and of a partial one: OpenAI's guide to image generation.
OUTPUT_TOKENS = {"low": 408, "medium": 1584, "high": 6240}
OUTPUT_TOKENS_UNKNOWN = 16_384
PARTIAL_TOKENS = 100
INPUT_IMAGE_TOKENS = 8_000


def read_generation(asked: Asked, address: Address) -> CallFacts:
    fields = Fields(asked.body)
    prompt = required_text(fields, "prompt")
    return _facts(
        fields,
        model_of(fields, address),
        prompt,
        images=0,
        count=fields.maybe_count("n", minimum=1),
        stream=fields.maybe_flag("stream") or False,
        partial=fields.maybe_count("partial_images") or 0,
    )


def read_edit(asked: Asked, address: Address) -> CallFacts:
    """A form with images, or JSON that names them."""
    fields = form_fields(asked)
    prompt = required_text(fields, "prompt")
    images = _images_of(asked)
    if not images:
        raise InvalidBody("'image' is missing.", param="image")
    return _facts(
        fields,
        model_of(fields, address),
        prompt,
        images=images,
        count=number_in(fields, "n", minimum=1),
        stream=flag_in(fields, "stream"),
        partial=number_in(fields, "partial_images") or 0,
    )


def _images_of(asked: Asked) -> int:
    if asked.form is not None:
        return sum(file.name.partition("[")[0] in ("image", "mask") for file in asked.form.files)
    images = asked.body.get("images")
    if images is not None and not isinstance(images, list):
        raise wrong_type("images", "an array")
    return images_named(asked.body)


def images_named(body: JSON) -> int:
    """How many images a body of JSON gives to be edited."""
    return len(as_list(body.get("images"))) + sum(body.get(name) is not None for name in ("image", "mask"))


def _facts(
    fields: Fields, model: str, prompt: str, *, images: int, count: int | None, stream: bool, partial: int
) -> CallFacts:
    count = count or 1
    if count > MOST_IMAGES:
        raise wrong_type("n", f"at most {MOST_IMAGES}")
    unit = _unit(fields.maybe_text("quality"), fields.maybe_text("size"))
    size = bytes_of(prompt)
    each = OUTPUT_TOKENS.get(fields.maybe_text("quality") or "", OUTPUT_TOKENS_UNKNOWN)
    most = Usage(
        input_tokens=size + images * INPUT_IMAGE_TOKENS,
        output_tokens=count * (each + min(partial, 8) * PARTIAL_TOKENS),
        units={unit: count},
    )
    return CallFacts(
        model=model,
        stream=stream,
        candidates=count,
        end_user=claimed_end_user(fields),
        most=most,
        likely=Usage(units={unit: count}),
    )


def _unit(quality: str | None, size: str | None) -> str:
    """'images:high:1024x1024'; what is left to the provider is not told."""
    kinds = [kind for kind in (quality, size) if kind and kind != "auto"]
    return ":".join(("images", *(kind.replace(":", "-")[:24] for kind in kinds)))


def tokens_made(units: Mapping[str, int]) -> int | None:
    """Output tokens of so many images of these kinds, the largest of each; None where there are none."""
    kinds = {unit: unit.split(":")[1:] for unit in units if unit.partition(":")[0] == "images"}
    each = {
        unit: next((OUTPUT_TOKENS[word] for word in words if word in OUTPUT_TOKENS), OUTPUT_TOKENS_UNKNOWN)
        for unit, words in kinds.items()
    }
    return sum(units[unit] * tokens for unit, tokens in each.items()) if each else None


def read_usage(body: JSON, asked: Asked) -> Usage | None:
    """Of an answer, or of the event that ends one image: images as counted, tokens as told."""
    made = len(as_list(body.get("data")))
    if not made and as_text(body.get("type")).endswith(".completed"):
        made = 1
    if not made:
        return None
    units = {_unit(_told(body, asked, "quality"), _told(body, asked, "size")): made}
    usage = as_object(body.get("usage"))
    into, out = as_count(usage.get("input_tokens")), as_count(usage.get("output_tokens"))
    if into is None:
        return Usage(units=units)
    details = as_object(usage.get("input_tokens_details"))
    units["input_image_tokens"] = as_count(details.get("image_tokens")) or 0
    told = as_count(as_object(usage.get("output_tokens_details")).get("image_tokens"))
    units["output_image_tokens"] = (out or 0) if told is None else told
    cached = as_count(details.get("cached_tokens"))
    return Usage(input_tokens=into, cache_read_tokens=cached, output_tokens=out or 0, units=units)


def _told(body: JSON, asked: Asked, name: str) -> str | None:
    value: Any = body.get(name) or asked.body.get(name)
    return value if isinstance(value, str) else None


GENERATIONS = Operation(
    name="images.generations",
    format="openai_chat",
    read_call=read_generation,
    routes={"openai_chat": relay("/images/generations", read_usage)},
)
EDITS = Operation(
    name="images.edits",
    format="openai_chat",
    read_call=read_edit,
    routes={"openai_chat": relay("/images/edits", read_usage)},
    takes_form=True,
)
