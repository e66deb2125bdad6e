"""Which passes are captured, replayed and captured again; the graphs are stand-ins, as CUDA's need a card."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from bot.inference.model.graphs import GraphExecution


@dataclass
class Graph:
    key: tuple[str, int]
    num_replays: int = 0

    def replay(self):
        self.num_replays += 1


@dataclass
class Stream:
    num_waits: int = 0

    def synchronize(self):
        self.num_waits += 1


class Noted(GraphExecution):
    """Notes what is run call by call, what is captured and what is replayed."""

    def __init__(self, *, can_capture=True, can_capture_prefill=True, num_sequences=6, num_tokens=256):
        ops = SimpleNamespace(
            can_capture=can_capture, can_capture_prefill=can_capture_prefill, tile_rows=lambda _num_tokens: 64
        )
        state = SimpleNamespace(tokens=range(num_sequences))
        workspace = SimpleNamespace(num_rows=num_tokens)
        super().__init__(SimpleNamespace(ops=ops), workspace, None, state, Stream())
        self.ran, self.captured, self.is_full = [], [], False

    def _pass(self, key):
        return lambda: self.ran.append(key)

    def _record(self, key):
        if self.is_full:
            raise torch.OutOfMemoryError
        self.captured.append(key)
        return Graph(key)

    @property
    def replayed(self):
        return {key: graph.num_replays for key, graph in self._graphs.items() if graph and graph.num_replays}


HEADS = [(kind, size) for size in (1, 2, 4, 6) for kind in ("head", "greedy head")]
DECODES = [("decode", size) for size in (1, 2, 4, 6)]
PREFILLS = [("prefill", size) for size in (32, 64, 128, 256)]


@pytest.mark.parametrize(
    ("can_capture", "can_capture_prefill", "expected"),
    [(True, True, HEADS + DECODES + PREFILLS), (True, False, HEADS + DECODES), (False, False, HEADS)],
)
def test_every_size_is_run_once_and_captured(can_capture, can_capture_prefill, expected):
    execution = Noted(can_capture=can_capture, can_capture_prefill=can_capture_prefill)

    execution.capture()

    assert sorted(execution.captured) == sorted(execution.ran) == sorted(expected)
    assert execution.replayed == {}


def test_what_was_captured_is_replayed_until_it_is_let_go_and_then_captured_again_when_it_is_needed():
    execution = Noted()
    execution.capture()
    captured_first = len(execution.captured)
    tiles = execution.num_tiles(128, 3)

    execution.run_decode(4, ())
    execution.run_head(4, is_greedy=True)
    execution.run_head(4, is_greedy=False)
    execution.run_prefill(128, tiles, ())
    before = execution.replayed
    execution.release()
    captured = len(execution.captured)
    kept_tiles = execution.num_tiles(128, 3)
    for _ in range(2):
        execution.run_decode(4, ())
        execution.run_prefill(128, tiles, ())

    assert before == {("decode", 4): 1, ("greedy head", 4): 1, ("head", 4): 1, ("prefill", 128): 1}
    assert captured == captured_first
    assert kept_tiles == tiles
    assert execution.captured[captured:] == [("decode", 4), ("prefill", 128)]
    assert execution.replayed == {("decode", 4): 2, ("prefill", 128): 2}


def test_what_there_is_no_room_to_capture_again_runs_call_by_call_from_then_on(caplog):
    execution = Noted()
    execution.capture()
    execution.release()

    execution.is_full = True
    with pytest.raises(AttributeError):  # it goes on to the model, and this one has none
        execution.run_head(2, is_greedy=True)
    execution.is_full = False
    with pytest.raises(AttributeError):
        execution.run_head(2, is_greedy=True)
    execution.run_head(2, is_greedy=False)

    assert "no room to capture greedy head of 2 again" in caplog.text
    assert execution.replayed == {("head", 2): 1}
