"""What `make run` prints once the server answers: where, who, a first call, and what to do next."""

from typing import Any

from gateway_project.conf import Config, listens_on_loopback

RULE = "─" * 78


def render(config: Config, prepared: dict[str, Any]) -> str:
    """The banner's text. The first admin's password and the first key stand here and nowhere else."""
    parts = [
        _where(config),
        _once(prepared),
        _first_call(config, prepared),
        _notices(prepared),
        _next(config, prepared),
    ]
    return "\n".join(["", RULE, *filter(None, parts), RULE, ""])


def _where(config: Config) -> str:
    listening = f"{config.host}:{config.port}"
    lines = [f"  Gatehouse is running.   API {config.public_url}/v1   Dashboard {config.public_url}/ui"]
    if listens_on_loopback(config.host):
        lines.append(f"  It listens on {listening}, which only this machine can reach. To open it to the")
        lines.append("  network: GATEHOUSE_HOST=0.0.0.0 make run (behind TLS: see docs/operations.md).")
    else:
        lines.append(f"  It listens on {listening}, for the network. Put TLS in front: docs/operations.md.")
    if config.role != "all":
        lines.append(f"  This process serves the {config.role} part only (GATEHOUSE_ROLE).")
    return "\n".join(lines)


def _once(prepared: dict[str, Any]) -> str:
    lines = []
    if prepared.get("admin_password"):
        lines.append(f"  Sign in as   admin  with password  {prepared['admin_password']}")
    if prepared.get("key"):
        lines.append(f"  First key    {prepared['key']}")
    if lines:
        return "\n".join(["", *lines, "  Both are shown this once; make admin and make key give new ones."])
    return "\n  A new key: make key    A new password for admin: make admin"


def _first_call(config: Config, prepared: dict[str, Any]) -> str:
    if not config.serves_data_plane or not prepared.get("key"):
        return ""
    key, model = prepared.get("key"), prepared.get("model") or "sandbox"
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'
    return "\n".join(
        [
            "",
            "  A first call:",
            "",
            f"curl {config.public_url}/v1/chat/completions \\",
            f"  -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' \\",
            f"  -d '{body}'",
            "",
            "  or with OpenAI's SDK:",
            "",
            "from openai import OpenAI",
            f'client = OpenAI(base_url="{config.public_url}/v1", api_key="{key}")',
            'messages = [{"role": "user", "content": "Hello"}]',
            f'answer = client.chat.completions.create(model="{model}", messages=messages)',
            "print(answer.choices[0].message.content)",
        ]
    )


def _notices(prepared: dict[str, Any]) -> str:
    notices = [f"  ! {sentence}" for sentence in prepared.get("notices") or []]
    return "\n".join(["", *notices]) if notices else ""


def _next(config: Config, prepared: dict[str, Any]) -> str:
    connected = [name for name in prepared.get("providers") or [] if name != "sandbox"]
    if connected:
        first = f"  Providers: {', '.join(connected)}. Connect another: {config.public_url}/ui (Get started)"
    else:
        first = f"  Next: connect a provider at {config.public_url}/ui (Get started), or start again with"
        first += "\n  OPENAI_API_KEY=… make run. Until then the sandbox answers; make demo brings it to life."
    return f"\n{first}\n  Ctrl-C stops it: open calls may finish first."
