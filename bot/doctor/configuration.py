"""Whether the settings can be used, all of them, and whether what they name is free."""

import socket

from bot.doctor.finding import Finding, Topic
from bot.settings.settings import Survey
from bot.store.files.instance import running_process

TOPIC = Topic("settings")


def look_at_settings(survey: Survey) -> list[Finding]:
    """Everything that is wrong with the settings, and whether a daemon with them runs already."""
    findings = [TOPIC.bad(str(problem)) for problem in survey.problems]
    if not findings:
        sources = {given.source for given in survey.given.values()}
        where = f", from {', '.join(sorted(sources))}" if sources else ""
        findings.append(TOPIC.ok(f"{len(survey.given)} are set{where}"))
    if survey.settings is None:
        return findings
    token = survey.settings.discord_bot_token
    process = None if token is None else running_process(token.get_secret_value(), survey.settings.data_dir)
    if token is None:
        said = "DISCORD_BOT_TOKEN is not set: she talks at this terminal, and isn't on Discord"
        findings.append(TOPIC.note(said, "trinity setup"))
    if process is not None:
        findings.append(TOPIC.note(f"a daemon runs with this token already (process {process})"))
    elif survey.settings.operations_at is not None:
        findings.append(_address(*survey.settings.operations_at))
    return findings


def _address(host: str, port: int) -> Finding:
    """Whether the operations address is free. Where it isn't, the bot runs all the same, without it."""
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        said = f"{shown}, for health and metrics, can't be listened at ({error.strerror})"
        return TOPIC.note(said, "find out who has it (ss -ltnp), or set TRINITY_OPERATIONS_ADDRESS")
    return TOPIC.ok(f"the operations address {shown} is free")
