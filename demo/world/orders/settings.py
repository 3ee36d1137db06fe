import os
from urllib.parse import unquote, urlparse

_url = urlparse(os.environ.get("DATABASE_URL", "postgresql://127.0.0.1/orders"))

SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-migrations")
DEBUG = False
USE_TZ = True
TIME_ZONE = "UTC"
ROOT_URLCONF = "orders.urls"
INSTALLED_APPS = ["shop.apps.ShopConfig"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _url.path.lstrip("/"),
        "HOST": _url.hostname,
        "PORT": _url.port or 5432,
        "USER": unquote(_url.username or ""),
        "PASSWORD": unquote(_url.password or ""),
        "OPTIONS": {"options": "-c lock_timeout=5s"},
    }
}
