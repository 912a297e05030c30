"""The kinds of provider the gateway knows, as data: address, authentication, format and quirks.

Adding a provider is one entry; the test that walks the registry covers it at once.
"""

from proxy_app.providers.presets.clouds import CLOUDS
from proxy_app.providers.presets.contract import (
    QUIRKS,
    SETTINGS,
    Auth,
    Preset,
    StarterModel,
    WireFormat,
    auth_headers,
)
from proxy_app.providers.presets.hosted import HOSTED
from proxy_app.providers.presets.own_servers import OWN_SERVERS
from proxy_app.providers.presets.starters import STARTER_MODELS

#: In the order they are offered: the best known first.
PRESETS: dict[str, Preset] = {preset.kind: preset for preset in (*HOSTED, *CLOUDS, *OWN_SERVERS)}

__all__ = [
    "PRESETS",
    "QUIRKS",
    "SETTINGS",
    "STARTER_MODELS",
    "Auth",
    "Preset",
    "StarterModel",
    "WireFormat",
    "auth_headers",
]
