"""From a path to what the file declares: YAML, `os.environ/NAME` references, and which dialect it is.

No Django here: the effective master key is needed before Django is up.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gateway_project.env import BadSetting
from proxy_app.config_file.declared import Declared
from proxy_app.config_file.references import Reference, text_or_none

_LITELLM_SECTIONS = frozenset({"model_list", "litellm_settings", "router_settings", "general_settings"})


class ConfigUnreadable(BadSetting):
    """The file cannot be used at all; the message says where and why."""


class _TextLoader(yaml.SafeLoader):
    """SafeLoader that keeps numbers with a fraction as text: a price must not pass through a float."""


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_TextLoader.add_constructor("tag:yaml.org,2002:float", _as_text)
_TextLoader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)


def load_yaml(path: Path) -> dict[str, Any]:
    """The file's mapping. Raises ConfigUnreadable with the line a mistake is in."""
    try:
        content = yaml.load(path.read_text("utf-8"), Loader=_TextLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise ConfigUnreadable(f"GATEHOUSE_CONFIG {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigUnreadable(f"GATEHOUSE_CONFIG {path} is not UTF-8 text.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise ConfigUnreadable(f"GATEHOUSE_CONFIG {path} is not valid YAML{where}.") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigUnreadable(f"GATEHOUSE_CONFIG {path} is not a mapping of settings.")
    return content


def read(path: Path) -> Declared:
    """What the file declares, in either dialect."""
    from proxy_app.config_file import litellm, own

    content = load_yaml(path)
    if is_litellm(content):
        return litellm.declare(content, path.name)
    return own.declare(content, path.name)


def is_litellm(content: Mapping[str, Any]) -> bool:
    """Whether any of LiteLLM's sections is there; the two dialects share no section."""
    return not _LITELLM_SECTIONS.isdisjoint(content)


def master_key(path: Path) -> str | None:
    """`general_settings.master_key` (ours: `master_key`), resolved; None when absent or unset."""
    content = load_yaml(path)
    general = content.get("general_settings") if is_litellm(content) else content
    if not isinstance(general, Mapping):
        return None
    return Reference.of(text_or_none(general.get("master_key"))).value or None
