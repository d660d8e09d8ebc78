"""Settings of the whole product; every one that an operator may change is an environment variable.

The table of variables is in README.md.
"""

import hashlib
from pathlib import Path

import django_stubs_ext
from csp.constants import NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured

from console import environment as env

# Lets ModelAdmin[Row], QuerySet[Row] and their like name the row's type at run time too.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("SLIPWAY_DATA_DIR", BASE_DIR / ".data")

DEBUG = env.flag("SLIPWAY_DEBUG")
SECRET_KEY = env.text("SLIPWAY_SECRET_KEY")
if not SECRET_KEY:
    key_file = DATA_DIR / "secret_key"
    if not key_file.exists():
        raise ImproperlyConfigured(
            "Set SLIPWAY_SECRET_KEY to a long random string (`make run` makes one for you)."
        )
    SECRET_KEY = key_file.read_text().strip()

ALLOWED_HOSTS = env.words("SLIPWAY_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("SLIPWAY_TRUSTED_ORIGINS")
PUBLIC_URL = env.text("SLIPWAY_PUBLIC_URL", "http://127.0.0.1:8000")
SECURE = PUBLIC_URL.startswith("https://")

INSTALLED_APPS = [
    "console.apps.ConsoleConfig",
    "billing.apps.BillingConfig",
    "telemetry.apps.TelemetryConfig",
    "networking.apps.NetworkingConfig",
    "services.apps.ServicesConfig",
    "accounts.apps.AccountsConfig",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "django_htmx",
    "rest_framework",
    "template_partials",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "console.middleware.RequestIdMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "console.middleware.ReadableMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "console.middleware.SignedInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "console.middleware.ScopeMiddleware",
    "console.middleware.PasswordDueMiddleware",
    "console.middleware.TypedErrorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "console.urls"
ASGI_APPLICATION = "console.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "console.context.shell",
            ],
        },
    },
]

# --- Databases, cache, queue -------------------------------------------------------------------

DATABASE_URL = env.text("DATABASE_URL")
if not DATABASE_URL:
    raise ImproperlyConfigured(
        "Set DATABASE_URL to a PostgreSQL database (`make run` starts one for you)."
    )
# Under ASGI persistent connections pile up one a thread; a pool bounds them.
POOL_SIZE = env.number("SLIPWAY_DATABASE_POOL_SIZE", 10)
POOL = {"pool": {"min_size": 1, "max_size": POOL_SIZE}}
DATABASES = {
    "default": env.postgres(DATABASE_URL, POOL if env.flag("SLIPWAY_DATABASE_POOL") else {})
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_ROUTES = {"services.tasks.prepare": {"queue": "prepare"}}
# An unacknowledged message of a killed worker comes back after this; the sweep is sooner.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600}
CELERY_TASK_ALWAYS_EAGER = False

# --- Users -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "console:home"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_AGE = 14 * 24 * 3600
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "console.views.errors.csrf_failed"

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_CALLABLE = "accounts.views.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        # Plotly positions its drawing with style attributes.
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# --- Language, time, files ---------------------------------------------------------------------

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.folder("SLIPWAY_STATIC_ROOT", DATA_DIR / "static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "console.static.CollectedStaticFiles"
            if env.flag("SLIPWAY_COLLECTED_STATIC")
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = not env.flag("SLIPWAY_COLLECTED_STATIC")
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "console.api.authentication.AccessTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "console.api.errors.handle",
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
    "PAGE_SIZE": 50,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname:<7} {name}: {message}", "style": "{"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("SLIPWAY_LOG_LEVEL", "INFO")},
    "loggers": {
        # A line for every message of the timer buries what matters.
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
    },
}

# --- Slipway -----------------------------------------------------------------------------------

SLIPWAY_VERSION = "0.1.0"
# Marks containers and processes as ours: two installations on one machine never touch
# each other's instances.
INSTALLATION = env.text(
    "SLIPWAY_INSTALLATION", hashlib.sha256(str(DATA_DIR).encode()).hexdigest()[:12]
)
# Keys are encrypted with this before they are stored; a second one, comma separated, is the
# former key during a rotation.
ENCRYPTION_KEYS = env.words("SLIPWAY_ENCRYPTION_KEYS")
MODEL_DIR = env.folder("SLIPWAY_MODEL_DIR", DATA_DIR / "models")
MODEL_ROOTS = [Path(root).resolve() for root in env.words("SLIPWAY_MODEL_ROOTS")]
RUN_DIR = env.folder("SLIPWAY_RUN_DIR", DATA_DIR / "run")
RUNTIME_BASE_IMAGE = env.text("SLIPWAY_RUNTIME_BASE_IMAGE", "python:3.12-slim")
HUB_URL = env.text("SLIPWAY_HUB_URL", "https://huggingface.co")
HUB_TOKEN = env.text("SLIPWAY_HUB_TOKEN")

# Made on the first day: a region for processes, and one for containers where an engine answers.
FIRST_REGIONS = env.words("SLIPWAY_FIRST_REGIONS", "process,docker")
if not set(FIRST_REGIONS) <= {"process", "docker"}:
    raise ImproperlyConfigured("SLIPWAY_FIRST_REGIONS may name process and docker only.")

GATEWAY_URL = env.text("SLIPWAY_GATEWAY_URL", "http://127.0.0.1:8080")
GATEWAY_DOMAIN = env.text("SLIPWAY_GATEWAY_DOMAIN", "slipway.localhost")
GATEWAY_ACCESS_LOG = env.folder("SLIPWAY_GATEWAY_ACCESS_LOG", DATA_DIR / "gateway" / "access.log")
GATEWAY_HOST = env.text("SLIPWAY_GATEWAY_HOST", "127.0.0.1")
GATEWAY_PORT = env.number("SLIPWAY_GATEWAY_PORT", 8080)
GATEWAY_ADMIN_PORT = env.number("SLIPWAY_GATEWAY_ADMIN_PORT", 9901)
# Where Envoy finds its control plane, and where that listens; it knows keys' digests, so beyond
# loopback only a network of its own may reach it.
GATEWAY_XDS_ADDRESS = env.text("SLIPWAY_XDS_ADDRESS", "127.0.0.1:18000")
GATEWAY_XDS_LISTEN = env.text("SLIPWAY_XDS_LISTEN", "127.0.0.1:18000")
