"""Fields of a form, which are all texts, read as what they stand for."""

from gateway_project.errors import InvalidBody
from proxy_app.formats.reading import Fields, wrong_type
from proxy_app.operations.contract import Asked, FilePart

_TRUE, _FALSE = frozenset({"true", "1", "True"}), frozenset({"false", "0", "False", ""})
_MOST = 2**31


def form_fields(asked: Asked) -> Fields:
    """A form's fields, the last of each name; a JSON body's as they are."""
    return Fields(asked.body)


def flag_in(fields: Fields, name: str) -> bool:
    value = fields.get(name)
    if isinstance(value, bool):
        return value
    if value is None or (isinstance(value, str) and value in _FALSE):
        return False
    if isinstance(value, str) and value in _TRUE:
        return True
    raise wrong_type(name, "true or false")


def number_in(fields: Fields, name: str, minimum: int = 0) -> int | None:
    value = fields.get(name)
    if not isinstance(value, str):
        return fields.maybe_count(name, minimum=minimum)
    if not value.isascii() or not value.isdecimal() or len(value) > 10:
        raise wrong_type(name, "a whole number")
    number = int(value)
    if not minimum <= number <= _MOST:
        raise wrong_type(name, f"a whole number of at least {minimum}")
    return number


def the_file(asked: Asked, name: str) -> FilePart:
    """The one file of this name. Raises InvalidBody."""
    files = [file for file in asked.form.files if file.name == name] if asked.form is not None else []
    if not files:
        raise InvalidBody(f"'{name}' is missing.", param=name)
    if not files[0].size:
        raise InvalidBody(f"'{name}' is empty.", param=name)
    return files[0]
