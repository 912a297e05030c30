"""GATEHOUSE_CONFIG: our own YAML or LiteLLM's config.yaml, read without Django up to the rows it declares."""

from proxy_app.config_file.reading import ConfigUnreadable, load_yaml, master_key, read

__all__ = ["ConfigUnreadable", "load_yaml", "master_key", "read"]
