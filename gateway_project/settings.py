"""Django's settings. Values come from `conf`, the one door to the environment."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.utils.translation import gettext_lazy as _

from gateway_project.conf import BASE_DIR, config
from gateway_project.env import env_str
from gateway_project.look import UNFOLD  # noqa: F401  a setting by its name

GATEHOUSE = config()


def _django_secret() -> str:
    path = GATEHOUSE.data / "secrets" / "django_secret_key"
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        # Before the first start made one: good for commands that sign nothing.
        return "unsafe-until-first-start-" + str(GATEHOUSE.data)


SECRET_KEY = _django_secret()
DEBUG = GATEHOUSE.debug
ALLOWED_HOSTS = ["*"]  # the Host header is never used to decide; links use GATEHOUSE_PUBLIC_URL
ROOT_URLCONF = "gateway_project.urls"
ASGI_APPLICATION = "gateway_project.asgi.application"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_tables2",
    "channels",
    "gateway_project",
    "keys_app",
    "usage_app",
    "proxy_app",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "gateway_project.assets.ServeAssets",
    "gateway_project.compression.CompressPages",
    "gateway_project.csp.ContentSecurityPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "keys_app.audit.NoteAddress",
    "keys_app.frame.TellInViewersZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# ---------------------------------------------------------------- database


def _database() -> dict[str, Any]:
    if GATEHOUSE.database_url:
        settings: dict[str, Any] = environ.Env.db_url_config(GATEHOUSE.database_url)
        settings.setdefault("CONN_MAX_AGE", 60)
        settings["CONN_HEALTH_CHECKS"] = True
        return settings
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": GATEHOUSE.data / "gatehouse.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            # A transaction that starts by reading and then writes would fail at once when another
            # writer came between; taking the write lock first makes it wait instead.
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
        },
    }


DATABASES = {"default": _database()}
AUTH_USER_MODEL = "keys_app.User"
AUTHENTICATION_BACKENDS = ["keys_app.roles.RoleBackend"]

# ---------------------------------------------------------------- channels

CHANNEL_LAYERS: dict[str, Any] = {
    "default": (
        {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [GATEHOUSE.redis_url]},
        }
        if GATEHOUSE.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

# ---------------------------------------------------------------- pages

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("ko", _("Korean"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "gateway_project.formats"
TIME_ZONE = "UTC"  # stored and computed in UTC; the reporting zone is a setting of its own

_prefix = urlsplit(GATEHOUSE.public_url).path.rstrip("/")
FORCE_SCRIPT_NAME = _prefix or None
STATIC_URL = f"{_prefix}/static/"
STATIC_ROOT = GATEHOUSE.data / "static"
STATICFILES_DIRS: list[Path] = [BASE_DIR / "usage_app" / "assets"]
STATICFILES_FINDERS = [
    "gateway_project.fonts.CutFonts",  # before those it stands for
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "gateway_project.assets.AssetStorage"},
}

LOGIN_URL = "ui:sign-in"
LOGIN_REDIRECT_URL = "ui:overview"
LOGOUT_REDIRECT_URL = "ui:sign-in"
SESSION_COOKIE_NAME = "gatehouse_session"
CSRF_COOKIE_NAME = "gatehouse_csrf"
CSRF_FAILURE_VIEW = "usage_app.views.failures.not_from_this_page"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
_https = GATEHOUSE.public_url.startswith("https://")
SESSION_COOKIE_SECURE = _https
CSRF_COOKIE_SECURE = _https
CSRF_TRUSTED_ORIGINS = ["/".join(GATEHOUSE.public_url.split("/")[:3])]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
EMAIL_CONFIG = environ.Env.email_url_config(GATEHOUSE.email_url)
vars().update(EMAIL_CONFIG)
EMAIL_TIMEOUT = 10  # seconds: a mail server that hangs holds up the alerts behind

# ---------------------------------------------------------------- management API

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "keys_app.api.problems.render_problem",
}
SPECTACULAR_SETTINGS = {
    "ENUM_NAME_OVERRIDES": {
        "MembershipRole": "keys_app.models.Membership.Role",
        "UserRole": "keys_app.models.User.Role",
    },
    "TITLE": "Gatehouse management API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# ---------------------------------------------------------------- logs

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"handlers": ["stderr"], "level": GATEHOUSE.log_level},
    "loggers": {
        # These write request lines and headers at DEBUG: addresses with ?key= and credentials.
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "aiohttp": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
        "django.db.backends": {"level": "INFO"},
    },
}
if env_str("GATEHOUSE_LOG_LEVEL") == "DEBUG":
    LOGGING["loggers"]["django.template"] = {"level": "INFO"}  # type: ignore[index]
