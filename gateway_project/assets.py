"""Static files under hashed names, with a compressed copy beside each: kept by browsers for good."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class AssetStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Our modules import one another, so their imports are renamed too."""

    support_js_module_import_aggregation = True
    manifest_strict = False

    def stored_name(self, name: str) -> str:
        """Before the first start has collected the files, their names are as they are."""
        return str(super().stored_name(name)) if self.hashed_files else name
