"""Static files under hashed names, with a compressed copy beside each: kept by browsers for good."""

from typing import Any

from django.contrib.staticfiles.storage import HashedFilesMixin
from django.http import HttpRequest, HttpResponse
from whitenoise.compress import Compressor
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage

#: Never asked for by a page: other packages' source maps, the API pages that are switched off.
UNUSED = [".keep", "*.map", "redoc", "rest_framework", "xregexp.js", "LICENSE*", "*.md", "*.txt"]
_IN_STYLES = HashedFilesMixin.patterns[0][1]
_IMPORT = r"""(?m)(?P<matched>^(?P<what>import\b[^"';]*)"(?P<url>\./[^"]+)";)"""


class AssetStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Our modules import one another, so their imports are renamed too; nobody else's scripts are read."""

    keep_only_hashed_files = True
    manifest_strict = False
    patterns = (
        ("*.css", _IN_STYLES[:2]),  # url() and @import, no source maps
        ("gatehouse/*.js", ((_IMPORT, '%(what)s"%(url)s";'),)),
    )

    def create_compressor(self, **options: Any) -> Compressor:
        """Gzip alone: brotli's copies would be a seventh smaller, and take seconds of the first start."""
        return super().create_compressor(**options, use_brotli=False)

    def stored_name(self, name: str) -> str:
        """Before the first start has collected the files, their names are as they are."""
        return str(super().stored_name(name)) if name in self.hashed_files else name


class ServeAssets(WhiteNoiseMiddleware):  # type: ignore[misc]
    """Answers with the whole file: handing it out piece by piece costs a thread's turn each."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file as file:
                content = file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response
