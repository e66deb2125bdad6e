"""Whether Discord takes the token and the intents, and whether the bot may answer in its guilds and their channels."""

from collections.abc import AsyncIterator, Iterator

from bot.discord.gateway_limits import GatewayLimits
from bot.discord.inspection import MOST_GUILDS, NEEDED, Application, InspectedGuild, Inspector, open_inspector
from bot.discord.run import DiscordOptions
from bot.doctor.finding import Finding, Topic
from bot.errors import DiscordError, DiscordRefused

TOPIC = Topic("Discord")
_WIDEST_CLOCK_SECONDS = 5.0
_FEW_SESSIONS = 50
_MOST_CHANNELS = 5
PORTAL = "https://discord.com/developers/applications"


async def look_at_discord(options: DiscordOptions) -> list[Finding]:
    """Ask Discord over HTTP; nobody sees the bot come online."""
    try:
        async with open_inspector(options) as inspector:
            return [finding async for finding in _ask(inspector, options)]
    except DiscordRefused as error:
        return [
            TOPIC.bad(str(error), f"on {PORTAL} open the Bot page, Reset Token, and put the new one in: trinity setup")
        ]
    except DiscordError as error:
        return [TOPIC.unknown(f"Discord can't be asked: {error}", "look at the network, a firewall, and HTTPS_PROXY")]


async def _ask(inspector: Inspector, options: DiscordOptions) -> AsyncIterator[Finding]:
    application = await inspector.application()
    for finding in judge_application(
        application, reads_all=options.reads_all_messages, shard_count=options.shard_count
    ):
        yield finding
    guilds = await inspector.guilds()
    allowed = options.access.now.allowed.guilds
    chosen = sorted(guilds, key=lambda each: each[0] not in allowed)
    if not guilds:
        yield TOPIC.note("she is in no server yet", f"invite her: {application.invite_url}")
    for guild_id in sorted(allowed - {each[0] for each in guilds}):
        yield TOPIC.note(
            f"TRINITY_ALLOWED_GUILDS names {guild_id}, where she isn't", f"invite her: {application.invite_url}"
        )
    for guild_id, name in chosen[:MOST_GUILDS]:
        try:
            found = await inspector.inspect(guild_id, name)
        except DiscordError as error:
            yield TOPIC.unknown(f"what she may in {name} ({guild_id}) can't be found out: {error}")
            continue
        for finding in judge_guild(found, application.invite_url):
            yield finding
    if len(chosen) > MOST_GUILDS:
        yield TOPIC.note(f"{len(chosen) - MOST_GUILDS} servers more weren't looked into")


def judge_application(
    application: Application, *, reads_all: bool, shard_count: int | None = None
) -> Iterator[Finding]:
    """What its flags mean with these settings, and whether the clocks agree."""
    yield TOPIC.ok(f"the token is {application.name}'s (application {application.id})")
    if reads_all and not application.may_read_all:
        said = "TRINITY_MESSAGE_CONTENT_INTENT is true, and the application doesn't have that intent"
        yield TOPIC.bad(said, f"switch it on, on the Bot page of {PORTAL}, or unset the setting")
    elif application.may_read_all and not reads_all:
        yield TOPIC.note("the application has the Message Content Intent, which isn't used", "it may be switched off")
    else:
        yield TOPIC.ok("its intents are those that the settings ask for")
    if application.wants_code_grant:
        said = "Requires OAuth2 Code Grant is on, so that nobody can invite her by a link"
        yield TOPIC.bad(said, f"switch it off on the Bot page of {PORTAL}")
    if not application.is_public:
        yield TOPIC.note("only the application's owner can invite her (Public Bot is off)")
    if application.limits is not None:
        yield from judge_limits(application.limits, shard_count)
    yield _clock(application.seconds_ahead)


def judge_limits(limits: GatewayLimits, shard_count: int | None) -> Iterator[Finding]:
    """Whether the sessions that may be begun today are enough, and the shards those that Discord recommends."""
    if limits.sessions_left < max(_FEW_SESSIONS, shard_count or 1):
        said = f"Discord allows {limits.sessions_left} more sessions today"
        yield TOPIC.bad(said, "find out what starts her again and again; Discord resets the token where none is left")
    if shard_count == 0:
        yield TOPIC.ok(f"Discord recommends {limits.num_shards} shards, which is how many she takes")
    elif (shard_count or 1) < limits.num_shards:
        said = f"Discord recommends {limits.num_shards} shards, and there are {shard_count or 1}"
        yield TOPIC.note(said, f"set TRINITY_SHARD_COUNT={limits.num_shards}, in all processes at once")
    elif shard_count is not None:
        yield TOPIC.ok(f"{shard_count} shards are enough: Discord recommends {limits.num_shards}")


def _clock(ahead: float | None) -> Finding:
    if ahead is None:
        return TOPIC.unknown("Discord doesn't say what time it is")
    if abs(ahead) <= _WIDEST_CLOCK_SECONDS:
        return TOPIC.ok("this machine's clock agrees with Discord's")
    way = "ahead of" if ahead > 0 else "behind"
    return TOPIC.note(f"this machine's clock is {abs(ahead):.0f} s {way} Discord's", "timedatectl set-ntp true")


def judge_guild(guild: InspectedGuild, invite: str) -> Iterator[Finding]:
    """Whether she can answer there, and what keeps her from it."""
    name, again = f"{guild.name} ({guild.id})", f"invite her again, which gives it: {invite}"
    missing = [each for each in guild.lacking if each in NEEDED]
    if missing:
        said = f"in {name} her roles lack {_in_words(missing)}"
        yield (TOPIC.note if guild.num_open else TOPIC.bad)(said, again)
    if wished := [each for each in guild.lacking if each not in NEEDED]:
        yield TOPIC.note(f"in {name} she does without {_in_words(wished)}", again)
    for channel in guild.channels[:_MOST_CHANNELS]:
        said = f"in {name}, #{channel.name} takes {_in_words(channel.permissions)} from her"
        yield TOPIC.note(said, "in the channel's settings, under Permissions, allow it for her role")
    if len(guild.channels) > _MOST_CHANNELS:
        yield TOPIC.note(f"in {name}, {len(guild.channels) - _MOST_CHANNELS} channels more take something from her")
    hidden = f", {guild.num_hidden} she doesn't see" if guild.num_hidden else ""
    if guild.num_open:
        yield TOPIC.ok(f"in {name} she can answer in {guild.num_open} channels{hidden}")
    elif not missing:
        yield TOPIC.bad(
            f"in {name} there is no channel in which she can answer{hidden}", "let her role into one of them"
        )


def _in_words(permissions: list[str] | tuple[str, ...]) -> str:
    return ", ".join(each.replace("_", " ").title().replace(" In ", " in ") for each in permissions)
