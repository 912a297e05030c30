"""The story of what is no conversation: read as its operation reads it, then carried like any call."""

import re

from gateway_project.errors import BadRequest, ForbiddenParameter
from proxy_app import pipeline
from proxy_app.call import Call, caller_of
from proxy_app.identity import read_claims
from proxy_app.reading import FORBIDDEN, know_caller, parse

_NAMES = re.compile(r"[^\[\].]+")


async def operate(call: Call) -> None:
    """As `pipeline.run` tells it; the view has put the operation, and the form if it is one, on the call."""
    _read(call)
    await pipeline.carry(call)


def _read(call: Call) -> None:
    """Step 1. Raises BadRequest."""
    assert call.operation is not None
    asked = call.asked
    try:
        if asked.form is not None:
            _take_form(call)
        else:
            parse(call)
        asked.raw, asked.body = call.raw, call.body
        call.facts = asked.facts = call.operation.read_call(asked, call.address)
        know_caller(call, call.facts)
        likely = call.facts.likely
        call.input_estimate = (likely.input_tokens if likely is not None else None) or 0
        call.mark("parsed")
    except BadRequest:
        call.claims = read_claims(call.headers, None)
        raise
    finally:
        call.caller = caller_of(call.principal, call.claims)


def _take_form(call: Call) -> None:
    """A form's fields as a body: the last of each name."""
    form = call.asked.form
    assert form is not None
    call.body_format = call.format
    call.body = {name: values[-1] for name, values in form.fields.items()}
    model = call.address.model or call.body.get("model")
    call.facts.model = (model or "")[:200]
    for name in (*form.fields, *(file.name for file in form.files)):
        if FORBIDDEN & set(_NAMES.findall(name)):
            raise ForbiddenParameter(
                f"'{name[:80]}' is set by the gateway's administrator, never by a caller.", param=name[:80]
            )
