"""The benchmark of memory reads LoCoMo's conversations as they come, and counts evidence that can be found."""

import json
import sys

from benchmarks import memory

SESSIONS = {
    "session_1_date_time": "1:56 pm on 8 May, 2023",
    "session_1": [
        {"speaker": "Ann", "dia_id": "D1:1", "text": "I adopted a ferret."},
        {"speaker": "Bob", "dia_id": "D1:2", "blip_caption": "a photo of a kayak"},
    ],
    "session_2_date_time": "2:00 pm on 9 May, 2023",
    "session_3": [{"speaker": "Ann", "dia_id": "D3:1", "text": "My sister moved to Oslo."}],
    "session_4": None,
}
QUESTIONS = [
    {"question": "What did Ann adopt?", "evidence": ["D:1:01; D9:9"], "category": 1},
    {"question": "What was in the picture, a kayak?", "evidence": "D1:2", "category": 4},
    {"question": "Where did the sister move?", "evidence": ["D", "D3:1"], "category": 2},
    {"question": "What is nowhere?", "evidence": ["D8:1"], "category": 1},
    {"question": "What has no evidence?", "category": 3},
    {"question": "What did Bob adopt?", "evidence": ["D1:1"], "category": 5},
]


def printed(monkeypatch, capsys, folder) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["memory", "--locomo", str(folder)])
    memory.main()
    return capsys.readouterr().out.splitlines()


def test_a_conversation_is_read_with_what_is_amiss_in_it(tmp_path, monkeypatch, capsys):
    (tmp_path / "26.json").write_text(json.dumps({**SESSIONS, "qa": QUESTIONS}))

    lines = printed(monkeypatch, capsys, tmp_path)

    assert lines[0].startswith("26: 3 turns, 3 questions, ")
    assert lines[-1] == "R@5 1.000 R@10 1.000 R@25 1.000"


def test_all_conversations_may_lie_in_one_file(tmp_path, monkeypatch, capsys):
    records = [
        {"sample_id": "conv-1", "conversation": SESSIONS, "qa": QUESTIONS},
        {"sample_id": "conv-2", "conversation": {}, "qa": []},
    ]
    (tmp_path / "locomo10.json").write_text(json.dumps(records))

    lines = printed(monkeypatch, capsys, tmp_path)

    assert [line.partition(",")[0] for line in lines[:2]] == ["conv-1: 3 turns", "conv-2: 0 turns"]
    assert lines[-1] == "R@5 1.000 R@10 1.000 R@25 1.000"
