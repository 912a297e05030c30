"""What a call has to do with answers that a provider keeps: the one it goes on from, and its own."""

from collections.abc import Collection
from typing import Any

import msgspec

from gateway_project.errors import BadRequest, UnknownFormer, UnknownObject, UnsupportedParameter
from proxy_app.call import Attempt, Call
from proxy_app.catalogue import ModelEntry
from proxy_app.formats.reading import holds_any
from proxy_app.google_files import ADDRESSES, CACHED, HOST_WORD, cache_name, file_name, uploaded_name
from proxy_app.planning import Plan, only_at
from proxy_app.stored import StoredObjects, gemini_hosts, keeper_of
from proxy_app.wire import JSON
from usage_app.records import Stored

FORMAT = "openai_responses"
#: A body without any of these names no file; letters may be written as \u00…
_WORDS_OF_FILES = (b'"file', HOST_WORD.encode(), *(name.encode() for name in CACHED), b"\\u00")
_ADDRESS = b'url"'  # how the name of a field ends that holds one; Gemini's begin as files do


async def find_former(call: Call) -> None:
    """Learn where the answer lies that this call goes on from, and the files it names. Raises UnknownFormer
    and UnknownObject for a stranger's.

    Conversations that a provider keeps have no owner here, so nobody may name one.
    """
    await find_files(call)
    if call.body_format != FORMAT:
        return
    if call.body.get("conversation"):
        raise UnsupportedParameter(
            "'conversation' names what the provider keeps for all its callers: use 'previous_response_id'.",
            param="conversation",
        )
    former = call.facts.continues
    if former is None:
        return
    named = call.former
    try:
        call.former = await call.services.stored.find("response", former, keeper_of(call.principal))
    except UnknownObject:
        raise UnknownFormer(
            f"There is no response '{former[:200]}' here that this key may go on from.",
            param="previous_response_id",
        ) from None
    if named is not None and named.provider_id != call.former.provider_id:
        raise BadRequest("The files lie at another provider than the response this one goes on from.")


async def find_files(call: Call) -> None:
    """Learn where the files lie that a call names. Raises UnknownObject for a stranger's."""
    hosts = gemini_hosts(call.snapshot.sections["catalogue"])
    if call.operation is None and may_name_files(call.raw, hosts):
        for file_id in file_ids(call.body, hosts):
            call.former = await call.services.stored.find("file", file_id, keeper_of(call.principal))


async def check_files(
    stored: StoredObjects, owner: str, raw: bytes, body: JSON, provider_id: str, where: str
) -> None:
    """Raise UnknownObject for a file that a line of a batch names and that is not its owner's, or lies at
    another provider than the batch."""
    if not may_name_files(raw):
        return
    for file_id in file_ids(body):
        try:
            record = await stored.find("file", file_id, owner)
        except UnknownObject as error:
            raise UnknownObject(f"{where}: {error.detail}", param="file_id") from None
        if record.provider_id != provider_id:
            raise BadRequest(f"{where}: '{file_id[:200]}' lies at another provider.", param="file_id")


def may_name_files(raw: bytes, hosts: Collection[str] = ()) -> bool:
    """Whether it is worth looking for names of files: a plain letter may be written as \\u00… A host of an
    admin's may be written in many ways, so any address is looked at where there is one."""
    return holds_any(raw, _WORDS_OF_FILES) or (bool(hosts) and _ADDRESS in raw)


def file_ids(body: JSON, hosts: Collection[str] = ()) -> list[str]:
    """Ids of files at the provider that a body names at any depth, but for a schema's own words. Google's
    are named by their address, there or at one of `hosts`."""
    found: list[str] = []
    stack: list[tuple[Any, bool]] = [(body, False)]
    while stack:
        item, are_words = stack.pop()
        if isinstance(item, dict):
            found += [] if are_words else _ids_beside(item, hosts)
            stack.extend((child, name == "properties") for name, child in item.items())
        elif isinstance(item, list):
            stack.extend((child, False) for child in item)
    return found


def _ids_beside(item: JSON, hosts: Collection[str]) -> list[str]:
    """Ids of files that an object's own fields name."""
    addresses = [item[name] for name in ADDRESSES & item.keys() if isinstance(item[name], str)]
    found = [name for address in addresses if (name := file_name(address, hosts))]
    found += [cache_name(item[name]) for name in CACHED if isinstance(item.get(name), str)]
    return [*found, item["file_id"]] if isinstance(item.get("file_id"), str) else found


def at_its_provider(call: Call, plan: Plan, model: ModelEntry) -> Plan:
    """The plan with the only provider that knows what came before. Raises BadRequest when it does not
    serve the model."""
    former = call.former
    if former is None:
        return plan
    if all(deployment.provider.id != former.provider_id for deployment in model.deployments):
        raise BadRequest(
            f"What the call refers to lies at another provider than those of the model '{model.name}'.",
            param="previous_response_id" if call.facts.continues else "file_id",
        )
    return only_at(plan, former.provider_id)


def keep_answer(call: Call, attempt: Attempt) -> None:
    """Write whose the answer is, once its id is known: its caller may ask for it as soon as it has it."""
    object_id = attempt.observed.upstream_id
    if not attempt.keeps or object_id is None or call.kept is not None:
        return
    deployment = attempt.step.deployment
    call.kept = Stored(
        id=call.id,
        at_ms=call.arrived_ms,
        kind="response",
        object_id=object_id,
        provider_id=deployment.provider.id,
        owner=keeper_of(call.principal),
        state="pending" if call.facts.background else "kept",
        deployment_id=deployment.id,
        model=call.fell_back_to or call.facts.model,
        upstream_model=attempt.step.upstream_model,
        charges=call.charges,
    )
    call.services.stored.keep(call.kept)


def keep_upload(call: Call, provider_id: str, raw: bytes) -> None:
    """A file that was brought to Google is its sender's, by whatever address a call names it later."""
    if (name := uploaded_name(raw)) is not None:
        owner = keeper_of(call.principal)
        call.services.stored.keep(Stored(call.id, call.arrived_ms, "file", name, provider_id, owner))


def keep_as(call: Call, record: Stored, state: str) -> None:
    """What has become of a kept answer."""
    call.services.stored.keep(msgspec.structs.replace(record, state=state))
