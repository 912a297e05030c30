"""The store's Lua steps, each one atomic on the server."""

from collections.abc import Iterable
from functools import cache
from hashlib import sha1
from pathlib import Path

import msgspec

_FOLDER = Path(__file__).parent

#: Makes a filled epoch the one in use, unless another loader was first. ARGV: id, run id of the server
BEGIN_EPOCH = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'run', ARGV[2])
return 1
"""

#: Ends an epoch that another server process wrote, if it is still the one in use. ARGV: id
END_EPOCH = """
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


#: A step's arguments travel as one JSON list of texts: the client's packing of two dozen apart costs more
#: than all the rest of it.
_UNPACK = "local ARGV = cjson.decode(ARGV[1])\n"


@cache
def script(name: str) -> str:
    """The text of one step with what all of them share in front."""
    shared, step = ((_FOLDER / f"{part}.lua").read_text("utf-8") for part in ("windows", name))
    return _UNPACK + shared + step


@cache
def digest(name: str) -> str:
    """By which the server knows the script."""
    return sha1(script(name).encode(), usedforsecurity=False).hexdigest()


def pack(arguments: Iterable[object]) -> bytes:
    """What a step unpacks."""
    return msgspec.json.encode([str(argument) for argument in arguments])
