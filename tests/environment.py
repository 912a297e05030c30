"""Loaded before Django's settings: tests get a data folder of their own and a quiet environment."""

import atexit
import os
import shutil
import tempfile

_FOLDER = tempfile.mkdtemp(prefix="gatehouse-tests-")
os.mkdir(os.path.join(_FOLDER, "static"))  # whitenoise warns where there is none
atexit.register(shutil.rmtree, _FOLDER, True)

for _name in [name for name in os.environ if name.startswith("GATEHOUSE_")]:
    if _name not in ("GATEHOUSE_TEST_DATABASE_URL", "GATEHOUSE_TEST_REDIS_URL", "GATEHOUSE_CHROMIUM"):
        del os.environ[_name]
for _name in ("DATABASE_URL", "REDIS_URL", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"):
    os.environ.pop(_name, None)

os.environ["GATEHOUSE_DATA"] = _FOLDER
os.environ["GATEHOUSE_MASTER_KEY"] = "sk-gh-master-for-tests-0123456789abcdef"
os.environ["GATEHOUSE_SECRET_KEYS"] = "bm90LWEtc2VjcmV0LWp1c3QtYS10ZXN0LWtleS0zMmI="
os.environ["GATEHOUSE_TIME_ZONE"] = "UTC"
if "GATEHOUSE_TEST_DATABASE_URL" in os.environ:
    os.environ["GATEHOUSE_DATABASE_URL"] = os.environ["GATEHOUSE_TEST_DATABASE_URL"]
