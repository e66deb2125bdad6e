"""The REST side's front door: token, faults, rate limits, the handler, errors as JSON, and the journal of calls."""

import time
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.loopback import routes_account, routes_channel, routes_message
from tests.loopback.accounts import BotAccount
from tests.loopback.fault_plan import FaultPlan
from tests.loopback.faults import Action, CutOff
from tests.loopback.interactions import Interactions
from tests.loopback.journal import RestCall
from tests.loopback.limits import RateLimits
from tests.loopback.wire import API_PREFIX, ApiError, Call, json_answer
from tests.loopback.world import World

Handler = Callable[[Call], Awaitable[web.Response]]

_WITHOUT_TOKEN = ("/interactions/", "/webhooks/")


class RestApi:
    """Discord's REST API on a world."""

    def __init__(self, world: World, faults: FaultPlan, limits: RateLimits, interactions: Interactions) -> None:
        self._world = world
        self._faults = faults
        self._limits = limits
        self._interactions = interactions

    def add_to(self, app: web.Application) -> None:
        """Mounts every route; what a bot asks beyond them is answered 404 and held against it."""
        routes: list[tuple[str, str, Handler]] = [
            *routes_account.ROUTES,
            *routes_channel.ROUTES,
            *routes_message.ROUTES,
            *self._interactions.routes(),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, API_PREFIX + path, self._behind_the_door(handler))
        app.router.add_route("*", API_PREFIX + "/{rest:.*}", self._behind_the_door(_no_such_route))

    def _behind_the_door(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            call = Call(request, self._world, self._limits, self._interactions)
            call.bot = self._bot_of(request)
            try:
                response = await self._answer(call, handler)
            except CutOff:
                call.refusal = "cut"
                response = web.Response(status=499)
            self._note(call, response.status)
            return response

        return answer

    async def _answer(self, call: Call, handler: Handler) -> web.Response:
        strikes = self._faults.hits(call)
        for action in strikes:
            spoiled = await action.before(call)
            if spoiled is not None:
                call.refusal = call.refusal or "fault"
                self._limits.note_answer(call, spoiled)
                return spoiled
        response = self._limits.refuse(call) or await self._act(call, handler)
        self._limits.note_answer(call, response)
        return await self._spoil_after(call, strikes, response)

    async def _spoil_after(self, call: Call, strikes: list[Action], response: web.Response) -> web.Response:
        for action in strikes:
            spoiled = await action.after(call, response)
            if spoiled is not response:
                call.refusal = "fault"
                return spoiled
        return response

    async def _act(self, call: Call, handler: Handler) -> web.Response:
        try:
            if call.bot is None and not call.path.startswith(_WITHOUT_TOKEN):
                self._world.journal.accuse("bad_token", f"{call.method} {call.path}")
                raise ApiError(401, 0, "401: Unauthorized")
            return await handler(call)
        except ApiError as refusal:
            return json_answer(refusal.body, status=refusal.status)

    def _bot_of(self, request: web.Request) -> BotAccount | None:
        given = request.headers.get("Authorization", "").removeprefix("Bot ")
        bots = self._world.bots.values()
        return next((bot for bot in bots if bot.token == given and not bot.is_token_revoked), None)

    def _note(self, call: Call, status: int) -> None:
        seconds = time.monotonic() - call.started
        name = None if call.bot is None else call.bot.name
        entry = RestCall(call.started, call.method, call.path, status, seconds, name, call.refusal)
        self._world.journal.calls.append(entry)


async def _no_such_route(call: Call) -> web.Response:
    call.world.journal.accuse("unknown_route", f"{call.method} {call.path}")
    raise ApiError(404, 0, "404: Not Found")
