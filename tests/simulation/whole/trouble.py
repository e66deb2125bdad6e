"""What goes wrong with requests, by the rates of a seed: before they are done, or on the way back."""

import random

from aiohttp import web

from tests.loopback.faults import CutOff
from tests.loopback.wire import Call, html_answer, json_answer
from tests.simulation.faults import Faults

_SERVER_ERRORS = (500, 502, 503, 504)


class NoAnswer(Exception):
    """None ever comes."""


class Trouble:
    """A fault of the loopback's that strikes as often as the seed says."""

    def __init__(self, chance: random.Random, faults: Faults) -> None:
        self._chance = chance
        self._faults = faults

    async def before(self, call: Call) -> web.Response | None:
        chance, faults = self._chance, self._faults
        draw = chance.random()
        if draw < faults.refused:
            return self._failure()
        if draw < faults.refused + faults.limited:
            return call.limits.block(call, chance.uniform(0.1, 8.0), is_global=chance.random() < 0.2)
        if chance.random() < faults.banned:
            return call.limits.ban(chance.uniform(1.0, 20.0))
        if chance.random() < faults.unclear:
            return html_answer(403, "<html>Forbidden</html>")
        return None

    async def after(self, call: Call, answer: web.Response) -> web.Response:
        return self._failure() if self._chance.random() < self._faults.lost else answer

    def _failure(self) -> web.Response:
        chance = self._chance
        kind = chance.random()
        if kind < 0.05:
            raise NoAnswer
        if kind < 0.4:
            raise CutOff
        return json_answer({"code": 0, "message": "injected"}, status=chance.choice(_SERVER_ERRORS))
