"""`python -m tests.browser.pictures` draws docs/pictures anew: a day of made-up traffic, and calls under way.

The seeded day is saved straight to the ledger; the calls under way, and the one that fell back, are real
calls of the sandbox under other names.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.watching import FLAGS, Watched
from tests.serving import ROOT, Serving

FOLDER = ROOT / "docs" / "pictures"
CALLS = 6_000
HOURS = 50.0
#: The gateway's names -> what answers in their place, in order: (provider, model of the sandbox).
NAMES = {
    "gpt-5": (("openai", "chat"),),
    "gpt-5-mini": (("openai", "fast"),),
    "claude-opus-4-1": (("anthropic", "slow"),),
    "claude-haiku-4-5": (("anthropic", "long"),),
    "gemini-2.5-pro": (("gemini", "error-503"), ("spare", "reasoning")),
}
#: Dollars per million tokens in and out.
PRICES = {"anthropic": (1, 5), "gemini": (1.25, 10), "openai": (1.25, 10), "spare": (1.25, 10)}
#: (service, environment, key, model) of those who call.
CALLERS = (
    ("checkout", "production", "checkout assistant", "gpt-5"),
    ("checkout", "production", "checkout assistant", "claude-haiku-4-5"),
    ("search", "production", "search ranking", "gemini-2.5-pro"),
    ("search", "experiment", "prompt lab", "claude-opus-4-1"),
    ("checkout", "test", "smoke tests", "gpt-5-mini"),
)


def config() -> str:
    """The names as a configuration file has them (JSON is YAML)."""
    models = [
        {"name": name, "strategy": "in_order", "deployments": list(map(deployment, answering, (1, 2)))}
        for name, answering in NAMES.items()
    ]
    providers = [{"name": name, "kind": "sandbox"} for name in PRICES]
    return json.dumps({"providers": providers, "models": models})


def deployment(answering: tuple[str, str], order: int) -> dict[str, Any]:
    provider, model = answering
    read, written = PRICES[provider]
    price = {"input": read, "output": written}
    return {"provider": provider, "model": f"sandbox/{model}", "order": order, "price": price}


def seed() -> None:
    """In a process of its own, over the server's database."""
    import django

    django.setup()
    from tests.seeding import seed_people, seed_requests

    seed_requests(seed_people(), CALLS, HOURS)


def keep_calling(server: Serving, key: str, model: str, pause_s: float, over: threading.Event) -> None:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": "Tell me of the sea."}]}
    while not over.wait(pause_s):
        server.call("POST", "/v1/chat/completions", body, key=key)


def fallen_back(server: Serving) -> str:
    """A call that its second deployment answered, after the first one had failed."""
    rows = server.ledger(1, model="gemini-2.5-pro", status="ok")
    return next(str(row["id"]) for row in rows if row["provider"] == "spare" and len(row["attempts"]) > 1)


def draw(server: Serving) -> None:
    services = {each["name"]: each["id"] for each in server.call("GET", "/api/v1/services/")[2]["results"]}
    over = threading.Event()
    threads = []
    for number, (service, environment, name, model) in enumerate(CALLERS * 3):
        key = server.new_key(
            name=name,
            service=services[service],
            environment=environment,
            budgets=[{"amount_usd": 25, "period": "month"}],
            limits={"requests_per_minute": 600, "tokens_per_minute": None, "parallel": 40},
        )
        arguments = (server, key, model, 0.4 + 0.23 * number, over)
        threads.append(threading.Thread(target=keep_calling, args=arguments))
        threads[-1].start()
    with sync_playwright() as playwright:
        path = os.environ.get("GATEHOUSE_CHROMIUM", "/usr/bin/chromium")
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        watched = Watched(chromium, server, viewport={"width": 1440, "height": 900})
        page = watched.page
        page.goto(f"{server.url}/ui/live/")
        page.wait_for_timeout(15_000)
        page.screenshot(path=FOLDER / "live.png")
        over.set()
        for thread in threads:
            thread.join()
        time.sleep(3)  # until the ledger has them
        page.goto(f"{server.url}/ui/")
        page.wait_for_timeout(2_000)
        page.screenshot(path=FOLDER / "overview.png")
        page.goto(f"{server.url}/ui/requests/{fallen_back(server)}/")
        page.wait_for_timeout(1_500)
        page.screenshot(path=FOLDER / "request.png")
        chromium.close()


def main() -> int:
    if sys.argv[1:] == ["seed"]:
        seed()
        return 0
    with Serving(config_yaml=config()) as server:
        command = [sys.executable, "-m", "tests.browser.pictures", "seed"]
        environment = server.settings() | {"DJANGO_SETTINGS_MODULE": "gateway_project.settings"}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        draw(server)
    for name in ("overview", "live", "request"):
        print(Path(FOLDER / f"{name}.png").relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
