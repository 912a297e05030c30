"""How lists are told what was spent: by whoever knows, which is no part of this app."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.utils.safestring import SafeString

from keys_app.models import User

#: Rows of a page and who looks at them -> what stands in their cells, by primary key as text.
Teller = Callable[[Sequence[Any], User], Mapping[str, SafeString]]
#: Name of a model, for its list in the admin, or of a column of My keys -> how its rows are told, a page of
#: them at once. Filled when the apps are ready.
TELLERS: dict[str, Teller] = {}
