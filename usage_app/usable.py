"""Which models a key may call, for pages that offer them; the data plane decides by its own picture."""

from fnmatch import fnmatchcase

from django.apps import apps

from keys_app.models import VirtualKey


def model_names() -> list[str]:
    """Names that can be called: patterns cannot."""
    names = apps.get_model("proxy_app", "Model")._default_manager.filter(is_enabled=True)
    return [name for name in names.values_list("name", flat=True) if "*" not in name]


def models_of(key: VirtualKey | None) -> list[str]:
    """The names that a key may call; without one, all."""
    return [name for name in model_names() if key is None or may_call(key, name)]


def suggested(models: list[str]) -> str:
    """The first that is not the sandbox's, else the sandbox."""
    real = [name for name in models if not name.startswith("sandbox")]
    return real[0] if real else models[0] if models else "sandbox"


def may_call(key: VirtualKey, name: str) -> bool:
    """Whether the lists of key, owner and service all allow a name."""
    if key.no_models:
        return False
    of_service = key.service.models_allowed if key.service else []
    of_owner = key.user.models_allowed if key.user else []
    return all(
        not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
        for patterns in (key.models_allowed, of_owner, of_service)
    )
