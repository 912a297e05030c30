"""A file on its way to the provider that is to keep it: the caller's form, written anew.

A batch's lines get the names that the provider knows. Nothing of a file is held in memory.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

from gateway_project.errors import BadRequest, GatehouseError, InvalidBody
from keys_app import policy
from keys_app.entries import Principal
from proxy_app.batch_lines import Likeness, Line, lines_of, read_line
from proxy_app.catalogue import Catalogue, DeploymentEntry, ProviderEntry
from proxy_app.file_choosing import NAMED_BY, choose_deployment, choose_provider
from proxy_app.keeping import check_files
from proxy_app.operations.contract import FilePart
from proxy_app.others_named import refuse_others
from proxy_app.planning import fill
from proxy_app.spool import Spool, SpooledForm
from proxy_app.stored import StoredObjects, keeper_of


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form made of parts: bytes, or a stretch of a spool. A BodySource."""

    parts: tuple[bytes | tuple[Spool, int, int], ...]

    @property
    def size(self) -> int:
        return sum(len(part) if isinstance(part, bytes) else part[2] - part[1] for part in self.parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
                continue
            spool, start, end = part
            async for piece in spool.read(start, end):
                yield piece


@dataclass(frozen=True, slots=True)
class Upload:
    """A form ready to be sent, and what becomes known of the file it carries."""

    provider: ProviderEntry
    body: Sheet
    content_type: str
    model: str = ""  # public name that a batch's lines ask for
    upstream_model: str = ""
    deployment_id: str = ""


@dataclass(slots=True)
class Asker:
    """Whose file it is, and what is known of the world."""

    principal: Principal
    catalogue: Catalogue
    stored: StoredObjects
    address: str
    named: str  # the provider that a header or a field names
    format: str  # whose Files API is spoken


async def prepare_upload(asker: Asker, form: SpooledForm, spool: Spool) -> Upload:
    """Choose the provider, and put a batch's lines into `spool` as it knows them. Raises BadRequest, …"""
    files = [file for file in form.files if file.name == "file"]
    if len(files) != 1:
        raise InvalidBody("The form must have one 'file'.")
    file = files[0]
    purpose = form.fields.get("purpose", [""])[-1]
    if not purpose and asker.format == "openai_chat":
        raise BadRequest("'purpose' is missing.", param="purpose")
    asker.named = asker.named or form.fields.get(NAMED_BY, [""])[-1]
    stretch = (form.spool, file.start, file.start + file.size)
    if purpose != "batch" or asker.format != "openai_chat":
        provider = choose_provider(asker.catalogue, asker.principal, asker.named, asker.format)
        return Upload(provider, *_written(form, file, stretch))
    name, upstream_model, deployment = await _rewrite(asker, stretch, spool)
    body, content_type = _written(form, file, (spool, 0, spool.size))
    return Upload(deployment.provider, body, content_type, name, upstream_model, deployment.id)


async def _rewrite(
    asker: Asker, stretch: tuple[Spool, int, int], spool: Spool
) -> tuple[str, str, DeploymentEntry]:
    """Each line with the provider's name of the model; (public name, provider's name, deployment)."""
    source, start, end = stretch
    name, upstream_model, deployment = "", "", None
    likeness = Likeness()
    async for number, raw in lines_of(source.read(start, end)):
        line = read_line(number, raw)
        likeness.check(line)
        if deployment is None:
            name = line.model
            upstream_model, deployment = _at(asker, line)
            policy.authorise(asker.principal, line.endpoint, asker.address)
        owner, provider = keeper_of(asker.principal), deployment.provider
        _refuse_others(asker, line)
        await check_files(asker.stored, owner, raw, line.body, provider.id, f"Line {number}")
        await spool.write(line.with_model(upstream_model))
    if deployment is None:
        raise BadRequest("The file has no lines.", param="file")
    await spool.close_writing()
    return name, upstream_model, deployment


def _refuse_others(asker: Asker, line: Line) -> None:
    try:
        refuse_others(asker.principal, line.body)
    except GatehouseError as error:
        raise _in_line(line, error) from None


def _in_line(line: Line, error: GatehouseError) -> GatehouseError:
    return type(error)(f"Line {line.number}: {error.detail}", param=error.param)


def _at(asker: Asker, line: Line) -> tuple[str, DeploymentEntry]:
    try:
        model, deployment = choose_deployment(asker.catalogue, asker.principal, line.model, asker.named)
    except GatehouseError as error:
        raise _in_line(line, error) from None
    return fill(model.name, deployment.upstream_model, line.model), deployment


def _written(form: SpooledForm, file: FilePart, stretch: tuple[Spool, int, int]) -> tuple[Sheet, str]:
    """The form's fields and the file, with a boundary that is in none of them."""
    boundary = f"gatehouse-{uuid4().hex}"
    parts: list[bytes | tuple[Spool, int, int]] = []
    for name, values in form.fields.items():
        if name.lower() == NAMED_BY:
            continue
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
        parts += [f"{head}{value}\r\n".encode() for value in values]
    media_type = file.media_type if file.media_type.isprintable() else ""
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="file"; filename="{_quoted(file.filename)}"\r\n'
        f"Content-Type: {media_type or 'application/octet-stream'}\r\n\r\n"
    )
    parts += [head.encode(), stretch, f"\r\n--{boundary}--\r\n".encode()]
    return Sheet(tuple(parts)), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    """A name inside quotes, without what could end them or the line."""
    return "".join("_" if letter in '"\\' or ord(letter) < 32 else letter for letter in name)
