"""Endpoints whose requests cost nothing, and count against the limits of requests a minute all the same."""

from typing import ClassVar

from proxy_app.looking import admit_look
from proxy_app.views.base import APIView


class CountedView(APIView):
    """A request that is one too many is refused before its body is read."""

    #: Methods that make a call of a model, which is counted where it is admitted.
    calls: ClassVar[tuple[str, ...]] = ()

    async def initial(self) -> None:
        await super().initial()
        request = self.request
        assert request.principal is not None
        if request.method not in self.calls:
            await admit_look(request.services.limits, request.snapshot, request.principal, request.id)
