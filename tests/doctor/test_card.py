import json
import sys

import pytest

from bot.doctor.card import judge_card, look_at_card
from bot.doctor.card_facts import LLAMA_2_7B, card_facts, fitting
from bot.doctor.finding import State

GIB = 1024**3
ASKED = {
    "device": "cpu", "folder": None, "is_llama_2_7b": True, "context_window": None, "gpu_memory_gib": None,
    "gpu_memory_fraction": None,
}  # fmt: skip


def facts(usable_gib, *, capability=(8, 9), **more):
    usable = int(usable_gib * GIB)
    fits = [
        fitting(LLAMA_2_7B, 4096, usable, weights, cache) for weights in ("fp16", "int8") for cache in ("fp16", "int8")
    ]
    return {
        "torch": "2.13.0", "cuda": "13.0", "problem": "", "card": "NVIDIA A card", "capability": list(capability),
        "free": usable, "total": usable + GIB, "usable": usable, "fits": fits,
    } | more  # fmt: skip


def program(text):
    return (sys.executable, "-S", "-c", text)


def test_what_fits_is_told_for_each_setting():
    findings = list(judge_card(facts(14.7), "fp16", "fp16", "580.1"))

    assert [finding.state for finding in findings] == [State.OK, State.OK, State.NOTE, State.NOTE, State.NOTE]
    assert "compute capability 8.9), driver 580.1, 14.7 of 15.7 GiB free" in findings[0].said
    # docs/benchmarks.md has the figures of such a card; what torch keeps for itself isn't known before it runs.
    tokens = int(findings[1].said.split()[2].replace(",", ""))
    assert tokens == pytest.approx(4_032, rel=0.05)
    assert "TRINITY_WEIGHTS=int8 TRINITY_KV_CACHE=int8, about" in findings[-1].said


def test_a_card_on_which_it_does_not_fit_as_set_is_told_with_the_setting_that_does():
    bad = [finding for finding in judge_card(facts(7.6), "fp16", "fp16", "580.1") if finding.state is State.BAD]

    assert len(bad) == 1
    assert "take 12.6 GiB, and 7.6 can be used on the card" in bad[0].said
    assert bad[0].mend == "set TRINITY_WEIGHTS=int8 TRINITY_KV_CACHE=int8"
    assert "use a smaller model" in next(
        finding.mend for finding in judge_card(facts(4), "fp16", "fp16", "1.0") if finding.state is State.BAD
    )


def test_a_card_that_is_too_old_is_bad():
    assert next(judge_card(facts(15, capability=(7, 0)), "fp16", "fp16", "580.1")).state is State.BAD


@pytest.mark.parametrize(
    ("driver", "cuda", "state", "words"),
    [
        ("", None, State.NOTE, "no NVIDIA card"),
        ("580.1", None, State.BAD, "build for the CPU"),
        ("450.1", "13.0", State.BAD, "no card that it can use"),
    ],
)
def test_why_there_is_no_card_is_told(driver, cuda, state, words):
    without = {name: value for name, value in facts(15, cuda=cuda).items() if name not in ("card", "capability")}

    first = next(judge_card(without, "fp16", "fp16", driver))

    assert (first.state, words in first.said) == (state, True)


def test_a_device_that_is_not_there_is_named():
    assert "CUDA cards here" in card_facts(ASKED | {"device": "cuda:7"})["problem"]
    assert next(judge_card({"problem": "no such card"}, "fp16", "fp16", "")).state is State.BAD


def test_the_processors_memory_counts_where_there_is_no_card():
    found = card_facts(ASKED)

    assert found["usable"] == found["total"] >= found["free"] > 0
    assert found["fits"][0]["weights_bytes"] == pytest.approx(25.1 * GIB, rel=0.01)


def test_of_a_model_that_is_not_here_yet_nothing_is_said_to_fit_or_not():
    found = card_facts(ASKED | {"is_llama_2_7b": False})

    told = list(judge_card(found, "fp16", "fp16", ""))

    assert [finding.state for finding in told] == [State.NOTE, State.NOTE]
    assert "is said once the model is here" in told[1].said


def test_what_the_daemon_has_of_the_card_is_no_reason_to_call_it_too_small():
    told = list(judge_card(facts(0.3), "fp16", "fp16", "580.1", daemon=4711))

    assert [finding.state for finding in told] == [State.OK, State.NOTE]
    assert "the daemon (process 4711) has its memory" in told[1].said


async def test_the_answer_of_another_process_is_taken():
    said = json.dumps({"problem": "a card that is lost"})

    findings = await look_at_card(ASKED, "fp16", "fp16", program(f"print('''{said}''')"))

    assert [finding.said for finding in findings] == ["a card that is lost"]


async def test_a_process_that_fails_says_why():
    findings = await look_at_card(ASKED, "fp16", "fp16", program("raise ImportError('libcudart.so.13')"))

    beside = await look_at_card(ASKED, "fp16", "fp16", program("raise MemoryError('of the card')"), daemon=4711)

    assert (findings[0].state, beside[0].state) == (State.BAD, State.NOTE)
    assert "libcudart.so.13" in findings[0].said
