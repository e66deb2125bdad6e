"""Llamas of other shapes, types and vocabularies on a CUDA card. Skipped, and said so, where there is none."""

import pytest
import torch

from bot.inference.engine import SamplingParams
from bot.inference.kernels.self_test import LayerTest
from bot.inference.loading.build import MemoryLimits, assemble_runner, build_runner
from bot.inference.model.kv_cache import CacheKind
from bot.inference.model.reference_ops import ReferenceOps
from bot.inference.model.sampler import SamplingRows
from bot.inference.model.weights import MatrixKind
from tests.checkpoints import (
    LARGE_VOCABULARY,
    LLAMA_3_1B,
    QWEN_2_05B,
    random_model,
    random_weights,
    save_checkpoint,
    tiny_config,
)
from tests.inference.on_a_card import on_a_card
from tests.inference.runs import Conversation, decode, generate, prefill, random_prompt, reference_tokens
from tests.inference.tiny_shapes import TINY

pytestmark = on_a_card("other shapes were not run on one")
CARD = "cuda"
NUM_NEW = 24
LENGTHS = (75, 5, 64, 1, 130)
WIDE = 262_144
SMALL = {"num_blocks": 64, "max_num_sequences": 5, "max_prefill_tokens": 512}


def conversations_of(prompts, sampling=()):
    return [
        Conversation(n, prompt, range(1 + 6 * n, 7 + 6 * n), sampling[n] if sampling else None)
        for n, prompt in enumerate(prompts)
    ]


def errors_of(runner, prompts, *models):
    """The error of our logits, and of the other models', against the last one's: |difference| / |its own|."""
    ours, others = [], [[] for _ in models]
    for prompt in prompts:
        conversation = Conversation(0, prompt, range(1, 7))
        prefill(runner, [conversation])
        for _ in range(NUM_NEW):
            ours.append(runner._execution.state.logits[0].clone().float().cpu())
            decode(runner, [conversation], 1)
        assert conversation.is_finite
        tokens = prompt + conversation.new_tokens[:NUM_NEW]
        for model, found in zip(models, others, strict=True):
            with torch.inference_mode():
                logits = model(torch.tensor([tokens], device=model.device)).logits[0]
            found.append(logits[len(prompt) - 1 : -1].float().cpu())
    exact = torch.cat(others[-1])
    found = [torch.stack(ours), *(torch.cat(other) for other in others[:-1])]
    return [float((logits - exact).norm() / exact.norm()) for logits in found]


def in_bf16(model, folder):
    """Save the model in BF16, round its own numbers to that, and give what transformers reads of the checkpoint."""
    save_checkpoint(folder, model, dtype=torch.bfloat16)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.bfloat16())
    return type(model).from_pretrained(folder, dtype=torch.bfloat16).to(CARD).eval()


@pytest.mark.parametrize("name", [name for name in TINY if "Mistral" not in name])
def test_greedy_tokens_equal_transformers(name, tmp_path):
    model = TINY[name].model()
    runner = build_runner(save_checkpoint(tmp_path, model), CARD, dtype=torch.float32, **SMALL)
    prompts = [random_prompt(length, 320, seed=length) for length in LENGTHS]

    alone = generate(runner, prompts[0], NUM_NEW, range(1, 7))
    together, in_chunks = conversations_of(prompts), conversations_of(prompts)
    for conversations, chunk_tokens in ((together, None), (in_chunks, 29)):
        prefill(runner, conversations, chunk_tokens)
        decode(runner, conversations, NUM_NEW - 1)

    expected = [reference_tokens(model, prompt, NUM_NEW) for prompt in prompts]
    assert type(runner._execution.model.ops).__name__ == "KernelOps"
    assert alone == expected[0]
    assert [conversation.new_tokens for conversation in together] == expected
    assert [conversation.new_tokens for conversation in in_chunks] == expected


@pytest.mark.parametrize("name", ["attention bias", "Qwen2"])
def test_biases_in_eight_bits_give_the_tokens_of_the_cpu(name, tmp_path):
    folder = save_checkpoint(tmp_path, TINY[name].model())
    options = {"dtype": torch.float32, "weights_kind": MatrixKind.INT8, "cache_kind": CacheKind.INT8, **SMALL}
    prompts = [random_prompt(length, 320, seed=length) for length in LENGTHS]
    found = []

    for device in ("cpu", CARD):
        runner = build_runner(folder, device, **options)
        conversations = conversations_of(prompts)
        prefill(runner, conversations, 29)
        decode(runner, conversations, NUM_NEW - 1)
        found.append([conversation.new_tokens for conversation in conversations])

    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["heads of 80", "attention bias", "Qwen2"])
def test_a_bf16_checkpoint_within_the_range_of_fp16_is_kept_as_that(name, tmp_path):
    model = TINY[name].model()
    in_bf16(model, tmp_path)
    runner = build_runner(tmp_path, CARD, **SMALL)

    (error,) = errors_of(runner, [random_prompt(length, 320, seed=length) for length in LENGTHS], model)

    print(f"{name}: error of the logits against FP32 {error:.5f}")
    assert runner._execution.state.logits.dtype == torch.float16
    assert type(runner._execution.model.ops).__name__ == "KernelOps"
    assert error < 0.01


@pytest.mark.parametrize("name", ["heads of 80", "attention bias", "Qwen2"])
@pytest.mark.parametrize("cache_kind", CacheKind)
def test_weights_beyond_fp16_are_run_in_bf16_as_closely_as_by_transformers(name, cache_kind, tmp_path, caplog):
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("the card doesn't compute in BF16")
    model = TINY[name].model()
    _stretch_values(model)
    theirs = in_bf16(model, tmp_path)
    runner = build_runner(tmp_path, CARD, cache_kind=cache_kind, **SMALL)
    prompts = [random_prompt(length, 320, seed=length) for length in LENGTHS]

    ours, of_transformers = errors_of(runner, prompts, theirs, model)
    conversations = conversations_of(prompts)
    prefill(runner, conversations, 29)
    decode(runner, conversations, NUM_NEW - 1)

    print(f"{name}, {cache_kind}: error of the logits against FP32 {ours:.5f}, transformers' {of_transformers:.5f}")
    assert "they are kept as BF16" in caplog.text
    assert runner._execution.state.logits.dtype == torch.bfloat16
    assert type(runner._execution.model.ops).__name__ == "KernelOps"
    assert ours < (1.5 if cache_kind is CacheKind.FLOAT else 2.5) * of_transformers
    assert all(one.is_finite and len(one.new_tokens) == NUM_NEW for one in conversations)


def _stretch_values(model):
    """Make attention's values too large for FP16, and what they are multiplied with too small: it is the same model."""
    with torch.no_grad():
        for layer in model.model.layers:
            values, output = layer.self_attn.v_proj, layer.self_attn.o_proj
            for parameter in values.parameters():
                parameter.mul_(2.0**19)
            output.weight.mul_(2.0**-19)


SHAPES = {
    "Qwen2-0.5B, FP16": (QWEN_2_05B, torch.float16, 5e-3),
    "Qwen2-0.5B, BF16": (QWEN_2_05B, torch.bfloat16, 2e-2),
    "Llama-3.2-1B, FP16": (LLAMA_3_1B, torch.float16, 5e-3),
    "262,144 tokens, FP16": (LARGE_VOCABULARY, torch.float16, 5e-3),
    "262,144 tokens, BF16": (LARGE_VOCABULARY, torch.bfloat16, 2e-2),
}


@pytest.mark.parametrize(("shape", "dtype", "limit"), SHAPES.values(), ids=SHAPES)
def test_every_kernel_agrees_with_the_reference(shape, dtype, limit):
    weights = random_weights(shape, torch.device(CARD, 0), dtype)
    limits = MemoryLimits(1024, num_blocks=40, max_num_sequences=16, max_prefill_tokens=512)
    runner = assemble_runner(shape, weights, limits)
    ops, reference = runner._execution.model.ops, ReferenceOps(shape, runner._cache, runner.context_window)
    test = LayerTest(shape, weights, runner._cache, runner._execution.workspace)
    cases = [(test.decode_spans(number), True) for number in (1, 2, 4, 8, 16)]
    cases += [(spans, False) for spans in test.prefill_passes()]

    with torch.inference_mode():
        found = [d for spans, is_decode in cases for d in test.compare(ops, reference, spans, is_decode=is_decode)]

    assert type(ops).__name__ == "KernelOps"
    assert not [str(difference) for difference in found if not difference.error < limit]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A tiny model with a vocabulary as large as Gemma's, tied: it, and its checkpoint."""
    model = random_model(tiny_config(vocab_size=WIDE, tie_word_embeddings=True, initializer_range=0.1))
    return model, save_checkpoint(tmp_path_factory.mktemp("wide"), model)


def test_greedy_tokens_of_262144_equal_transformers(wide):
    model, folder = wide
    runner = build_runner(folder, CARD, dtype=torch.float32, **SMALL)
    prompts = [random_prompt(length, WIDE, seed=length) for length in LENGTHS]
    conversations = conversations_of(prompts)

    alone = generate(runner, prompts[0], NUM_NEW, range(1, 7))
    prefill(runner, conversations)
    decode(runner, conversations, NUM_NEW - 1)

    expected = [reference_tokens(model, prompt, NUM_NEW) for prompt in prompts]
    assert type(runner._execution.model.ops).__name__ == "KernelOps"
    assert alone == expected[0]
    assert [conversation.new_tokens for conversation in conversations] == expected


def test_sampled_tokens_of_262144_are_those_of_the_cpu(wide):
    sampling = [
        SamplingParams(),
        SamplingParams(temperature=0.9, top_p=0.9, top_k=40, seed=7),
        SamplingParams(temperature=0.6, top_p=0.95, top_k=0, seed=8),
        SamplingParams(temperature=1.2, top_p=1.0, top_k=1000, seed=9, repetition_penalty=1.3),
        SamplingParams(temperature=1.0, top_p=1.0, top_k=0, seed=10),
    ]
    prompts = [random_prompt(length, WIDE, seed=length) for length in LENGTHS]
    found = []

    for device in ("cpu", CARD):
        runner = build_runner(wide[1], device, dtype=torch.float32, **SMALL)
        conversations = conversations_of(prompts, sampling)
        prefill(runner, conversations)
        decode(runner, conversations, NUM_NEW - 1)
        found.append([conversation.new_tokens for conversation in conversations])

    assert found[0] == found[1]


def test_draws_from_262144_equal_the_reference_and_come_as_often_as_they_weigh(wide):
    runner = build_runner(wide[1], CARD, **(SMALL | {"max_num_sequences": 64}))
    ops, reference = runner._execution.model.ops, ReferenceOps(runner.shape, runner._cache, runner.context_window)
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn((1, WIDE), generator=generator).half().float().to(CARD).expand(64, WIDE).contiguous()
    top_k, temperature, num_rounds = 12, 0.5, 100

    drawn, num_other = [], 0
    with torch.inference_mode():
        for number in range(num_rounds):
            rows = _sampling_rows(number, temperature, top_k)
            tokens, expected = (torch.full((64,), -1, device=CARD) for _ in range(2))
            for one, into in ((ops, tokens), (reference, expected)):
                one.sample(logits, rows, torch.zeros((64, WIDE), dtype=torch.bool, device=CARD), into)
            num_other += int((tokens != expected).sum())
            drawn.append(tokens.cpu())

    heaviest = torch.topk(logits[0].cpu(), top_k)
    weights = torch.softmax(heaviest.values / temperature, 0) * 64 * num_rounds
    counts = (torch.cat(drawn)[:, None] == heaviest.indices).sum(0)
    chi_square = float(((counts - weights) ** 2 / weights).sum())
    print(f"{num_other} of {64 * num_rounds} draws other than the reference's; chi-square {chi_square:.1f} of 11")
    assert type(ops).__name__ == "KernelOps"
    assert num_other == 0
    assert counts.sum() == 64 * num_rounds
    assert chi_square < 40  # of eleven degrees of freedom: once in thirty thousand


def _sampling_rows(number, temperature, top_k):
    rows = torch.arange(64, device=CARD)
    return SamplingRows(
        slots=rows,
        positions=rows + number,
        seeds=rows * 7919 + 31 * number,
        temperatures=torch.full((64,), temperature, device=CARD),
        top_ps=torch.ones(64, device=CARD),
        top_ks=torch.full((64,), top_k, device=CARD),
        penalties=torch.ones(64, device=CARD),
    )
