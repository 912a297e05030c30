"""What 100,000 virtual keys cost: start, admin list and search, and a change's way to the worker.

`python -m benchmarks.many_keys` makes them in a folder of its own, starts Gatehouse on it and prints JSON:
seconds to the first answer, milliseconds of pages (the first of each is apart), milliseconds until a
blocked key is refused.
"""

import json
import re
import time
import urllib.error
import urllib.request
from statistics import median

from tests.serving import Serving

KEYS = 100_000
PAGES = {
    "list": "/admin/keys_app/virtualkey/",
    "search": "/admin/keys_app/virtualkey/?q=number+9999",
    "search by service": "/admin/keys_app/virtualkey/?q=service+17",
    "last page": f"/admin/keys_app/virtualkey/?p={KEYS // 50 - 1}",
}
MAKE = f"""
from hashlib import sha256
from secrets import token_hex
from keys_app.models import Service, User, VirtualKey
User.objects.bulk_create([User(username=f"user {{i}}") for i in range(2000)])
Service.objects.bulk_create([Service(name=f"service {{i}}") for i in range(200)])
users, services = list(User.objects.filter(username__startswith="user ")), list(Service.objects.all())
def one(i):
    secret = token_hex(16)
    return VirtualKey(
        name=f"key number {{i}}", user=users[i % 2000], service=services[i % 200] if i % 2 else None,
        environment=("production", "test", "experiment")[i % 3], prefix="sk-gh-", last_four=secret[-4:],
        secret_hash=sha256(secret.encode()).hexdigest(),
    )
VirtualKey.objects.bulk_create([one(i) for i in range({KEYS})], batch_size=5000)
"""
SIGN_IN = """
from django.test import Client
from keys_app.models import User
client = Client(HTTP_HOST="127.0.0.1")
client.force_login(User.objects.get(username="admin"))
print("cookies", [f"{name}={value.value}" for name, value in client.cookies.items()])
"""


def pages_ms(server: Serving) -> dict[str, dict[str, float]]:
    """Milliseconds of each page: the first time, and the median of five more."""
    told = server.manage("shell", "-c", SIGN_IN).stdout
    (cookie,) = re.findall(r"cookies \['([^']+)'", told)
    found = {}
    for name, path in PAGES.items():
        taken = []
        for _turn in range(6):
            request = urllib.request.Request(server.url + path, headers={"cookie": cookie})
            began = time.perf_counter()
            with urllib.request.urlopen(request, timeout=60) as answer:
                answer.read()
            taken.append((time.perf_counter() - began) * 1000)
        found[name] = {"first": round(taken[0]), "then": round(median(taken[1:]))}
    return found


def change_ms(server: Serving) -> int:
    """Milliseconds from a key's block to the first refusal."""
    _status, _headers, made = server.call("POST", "/api/v1/keys/", {"name": "to be blocked"})
    asked = urllib.request.Request(
        f"{server.url}/v1/models", headers={"authorization": f"Bearer {made['key']}"}
    )
    urllib.request.urlopen(asked, timeout=10).read()
    began = time.perf_counter()
    server.call("POST", f"/api/v1/keys/{made['id']}/block/", {"reason": "measured"})
    while time.perf_counter() - began < 30:
        try:
            urllib.request.urlopen(asked, timeout=10).read()
        except urllib.error.HTTPError as refusal:
            if refusal.code == 401:
                return round((time.perf_counter() - began) * 1000)
        time.sleep(0.01)
    raise AssertionError("the block did not arrive")


def main() -> None:
    with Serving() as server:
        made = server.manage("shell", "-c", MAKE)
        assert made.returncode == 0, made.stderr
        server.stop()
        began = time.perf_counter()
        server.start()
        report = {
            "keys": KEYS,
            "start_s": round(time.perf_counter() - began, 1),
            "pages_ms": pages_ms(server),
            "change_ms": change_ms(server),
        }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
