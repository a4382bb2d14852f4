"""CAST, CAVA and CA²ST as models of transformers: silence, learning, invariances, fast paths, losses, saving."""

import copy

import pytest
import torch
from tiny_ca2st import CA2ST, CAST, CAVA, VARIANTS, clips, tiny, tiny_actions, tiny_config
from torch import nn

from holovid import CA2STConfig, CA2STForActionRecognition, CA2STForVideoClassification, CA2STModel

SOUNDING = [name for name in VARIANTS if name.startswith("CA2ST") or name.startswith("CAVA")]
HEADS = {"label": tiny, "verb and noun": tiny_actions}


def logits(outputs) -> torch.Tensor:
    return outputs.logits if "logits" in outputs else torch.cat((outputs.verb_logits, outputs.noun_logits), dim=1)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("variant", SOUNDING)
@torch.no_grad()
def test_what_stands_in_the_input_of_a_silent_clip_does_not_matter(variant, head):
    model = HEADS[head](**VARIANTS[variant])
    batch = clips(model.config)
    sounding = logits(model(**batch))
    batch["audio_mask"] = torch.tensor([True, False])
    silent = logits(model(**batch))
    assert (silent[1] - sounding[1]).abs().max() > 1e-2  # it was heard before
    for content in (torch.zeros(40, 24), torch.full((40, 24), torch.nan), torch.full((40, 24), -torch.inf)):
        batch["input_values"][1] = content
        assert torch.equal(logits(model(**batch)), silent)
    features = model.ca2st(**batch).pooler_output
    assert features[1, -36:].abs().max() == 0 and features[0, -36:].abs().max() > 0


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("variant", SOUNDING)
@torch.no_grad()
def test_silent_and_sounding_clips_together_equal_each_alone(variant, head):
    """In double precision: how a product of matrices is rounded depends on their size."""
    model = HEADS[head](**VARIANTS[variant]).double()
    batch = {
        name: value.double() if value.is_floating_point() else value for name, value in clips(model.config, 4).items()
    }
    batch["audio_mask"] = torch.tensor([True, False, False, True])
    together = logits(model(**batch))
    order = [2, 0, 3, 1]
    permuted = logits(model(**{name: value[order] for name, value in batch.items()}))
    torch.testing.assert_close(permuted, together[order], rtol=0, atol=1e-10)
    for clip in range(4):
        alone = logits(model(**{name: value[clip : clip + 1] for name, value in batch.items()}))
        torch.testing.assert_close(alone, together[clip : clip + 1], rtol=0, atol=1e-10)


@pytest.mark.parametrize("variant", SOUNDING)
@torch.no_grad()
def test_a_mask_of_clips_that_all_sound_is_no_mask(variant):
    """In parallel too, where an expert takes the mean of what it read from those that were heard."""
    model = tiny(**VARIANTS[variant])
    batch = clips(model.config)
    assert batch.pop("audio_mask").all()
    unmasked = model(**batch).logits
    masked = model(**batch, audio_mask=torch.tensor([True, True])).logits
    torch.testing.assert_close(masked, unmasked, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name.startswith("CA2ST")])
@torch.no_grad()
def test_a_silent_clip_is_one_for_cast(variant):
    """CA²ST on silence = the CAST inside it."""
    model = tiny(**VARIANTS[variant])
    layers = {"space_time": model.config.exchange_layers["space_time"]}
    own = {"experts": CAST, "exchange_layers": layers, "share_projections": model.config.share_projections}
    cast = tiny(**VARIANTS[variant] | own)
    weights = model.state_dict()
    cast.load_state_dict({name: weights[name] for name in cast.state_dict()})
    batch = clips(model.config)
    expected = cast(batch["pixel_values_videos"]).logits
    batch["audio_mask"][:] = False
    torch.testing.assert_close(model(**batch).logits, expected, rtol=1e-5, atol=1e-5)


def test_silence_gives_no_gradients_to_what_hears():
    model = tiny(experts=CA2ST).train()
    batch = clips(model.config)
    batch["audio_mask"][:] = False
    batch["input_values"][:] = torch.nan
    model(**batch, labels=torch.tensor([1, 3])).loss.backward()
    heard = {name: p.grad for name, p in model.named_parameters() if "audio" in name and p.grad is not None}
    assert not any(grad.any() for grad in heard.values())
    assert not any(p.grad.isnan().any() for p in model.parameters() if p.grad is not None)


def unread(config: CA2STConfig) -> list[str]:
    """Readings that change nothing that is pooled, an architectural fact of the released models.

    Of space and sound, only special tokens are pooled, and in an exchange these neither read nor are read. So what
    their patches read in the last layer matters only where a later exchange of that layer reads these patches.
    """
    last = config.num_hidden_layers - 1
    pairs = [pair for pair in config.pairs if last in config.exchange_layers[pair]]
    rounds = [pairs] if config.exchange_order == "parallel" else [[pair] for pair in pairs]
    matters = {"space": False, "time": True, "audio": False}  # the patches of
    names = []
    for round_ in reversed(rounds):
        before = dict(matters)
        for pair in round_:
            first, second = pair.split("_")
            for reader, source in ((first, second), (second, first)):
                if matters[reader]:
                    before[source] = True
                else:
                    names.append(f"ca2st.layers.{last}.exchanges.{pair}.readings.{reader}.")
        matters = before
    return names


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_learns(variant, depth, head):
    overrides = {name: value for name, value in VARIANTS[variant].items() if name != "exchange_layers" or depth == 3}
    model = HEADS[head](**overrides, num_hidden_layers=depth).train()
    labels = {"labels": torch.tensor([1, 3])}
    if head == "verb and noun":
        labels = {"verb_labels": torch.tensor([1, 5]), "noun_labels": torch.tensor([6, 0])}
    model(**clips(model.config), **labels).loss.backward()
    gradient = {name: 0.0 if p.grad is None else p.grad.abs().max().item() for name, p in model.named_parameters()}
    # a bias of keys adds the same to all scores of a reader, which softmax takes away again
    gradient = {name: value for name, value in gradient.items() if not name.endswith("k_proj.bias")}
    expected = tuple(unread(model.config))
    if depth == 1 and model.config.experts == CAVA:  # nothing that is read matters, so neither does when it was
        expected += ("ca2st.timestamps.",)
    assert {name for name, value in gradient.items() if value == 0} == {n for n in gradient if n.startswith(expected)}


def test_what_the_released_models_leave_unread():
    def last(experts: list[str], **settings) -> list[str]:
        names = unread(CA2STConfig(experts=experts, **settings))
        return [name.removeprefix("ca2st.layers.11.exchanges.").replace(".readings.", " ") for name in names]

    assert last(CAST) == ["space_time space."]
    assert last(CAVA) == ["space_audio space.", "space_audio audio."]
    assert last(CA2ST) == ["time_audio audio.", "space_audio space."]
    assert len(last(CA2ST, exchange_order="parallel")) == 4


@pytest.mark.parametrize("variant", VARIANTS)
def test_frozen_experts_keep_their_numbers(variant):
    model = tiny(**VARIANTS[variant], drop_path_rate=0.2)
    model.freeze_experts()
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    model.train()(**clips(model.config), labels=torch.tensor([1, 3])).loss.backward()
    optimizer.step()
    frozen = {name for name, tensor in model.state_dict().items() if torch.equal(tensor, before[name])}
    for name in model.state_dict():
        joined = any(part in name for part in ("adapter", "exchanges", ".down.", ".up.", "timestamps", "classifier"))
        joined |= "features" in name and "audio" not in name
        if not joined:
            assert name in frozen, name
    of_experts = {id(p) for module in model.expert_modules() for p in module.parameters()}
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (id(parameter) not in of_experts), name


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_at_first_layers_are_those_of_the_experts(variant):
    """What joins the experts starts at zero, without experts from elsewhere too."""
    config = tiny_config(**VARIANTS[variant])
    model = CA2STForVideoClassification(config).eval()
    for name, parameter in model.named_parameters():
        if ".up." in name and "readouts" not in name:
            assert parameter.abs().max() == 0, name
    loose = CA2STForVideoClassification(tiny_config(**VARIANTS[variant] | {"exchange_layers": {
        pair: [] for pair in config.pairs
    }})).eval()  # fmt: skip
    weights = model.state_dict()
    loose.load_state_dict({name: weights[name] for name in loose.state_dict()})
    batch = clips(config)
    assert torch.equal(loose(**batch).logits, model(**batch).logits)


@torch.no_grad()
def test_initial_values_are_the_reference_ones():
    model = CA2STForVideoClassification(CA2STConfig.ca2st_base(num_hidden_layers=2, audio_frames=100))
    base, layer = model.ca2st, model.ca2st.layers[1]
    for linear in (
        layer.attentions["time"].attention.q_proj,
        layer.attentions["space"].adapter.down,
        layer.down["time"],
    ):
        assert linear.weight.std().item() == pytest.approx(0.02, rel=0.03) and linear.bias.abs().max() == 0
    table = layer.exchanges["space_time"].readings["time"].reader_positions.space
    assert table.std().item() == pytest.approx(32**-0.5, rel=0.02)
    assert base.embeddings["space"].position_embeddings.std().item() == pytest.approx(768**-0.5, rel=0.02)
    places = base.embeddings["time"].position_embeddings.flatten(0, 1)
    for place, channel in ((0, 0), (0, 1), (197, 4), (1500, 701)):
        angle = torch.tensor(place / 10000 ** (2 * (channel // 2) / 768), dtype=torch.float64)
        expected = angle.cos() if channel % 2 else angle.sin()
        assert places[place, channel].item() == pytest.approx(expected.item(), abs=1e-7)
    assert "ca2st.embeddings.time.position_embeddings" not in model.state_dict()


@pytest.mark.parametrize("layout", ["official", "aligned"])
def test_timestamps_of_sound(layout):
    """Seconds of every patch, by the definition: its column lies in one of as many segments as there are moments."""
    model = tiny(experts=CAVA, audio_time_layout=layout).ca2st
    rows, columns = model.config.audio_grid
    slots = model.config.num_slots
    frame_times, audio_span = torch.rand(1, 8), torch.tensor([[0.25, 1.75]])
    of_frames, of_sound = model.timestamp_vectors(frame_times, audio_span, torch.zeros(1))
    length = columns // slots + 1
    for row in range(rows):
        for column in range(columns):
            patch = row * columns + column
            counted = patch // rows if layout == "official" else column
            segment = counted // length
            seconds = 0.25 + 1.5 * torch.tensor([segment, segment + 1]) / slots
            torch.testing.assert_close(of_sound[0, patch], model.timestamps["audio"](seconds))
    for slot in range(slots):
        expected = model.timestamps["frames"](frame_times[0, 2 * slot : 2 * slot + 2])
        torch.testing.assert_close(of_frames[0, slot, 0], expected)


@torch.no_grad()
def test_without_seconds_the_sound_starts_with_the_clip_and_frames_are_spread_over_it():
    model = tiny(experts=CA2ST)
    batch = clips(model.config)
    del batch["frame_times"], batch["audio_span"]
    frame_times = torch.arange(8).expand(2, -1) * 0.4 / 8  # 40 rows of 10 ms
    explicit = model(**batch, frame_times=frame_times, audio_span=torch.tensor([[0.0, 0.4], [0.0, 0.4]])).logits
    torch.testing.assert_close(model(**batch).logits, explicit)
    later = model(**batch, frame_times=frame_times + 3, audio_span=torch.tensor([[0.0, 0.4], [0.0, 0.4]])).logits
    assert (later - explicit).abs().max() > 1e-3


@torch.no_grad()
def test_orders_of_exchange_and_projections_differ():
    batch = clips(tiny_config(experts=CA2ST))
    model = tiny(experts=CA2ST)
    parallel = tiny(experts=CA2ST, exchange_order="parallel")
    parallel.load_state_dict(model.state_dict())
    assert (parallel(**batch).logits - model(**batch).logits).abs().max() > 1e-2
    own = tiny(experts=CA2ST, share_projections=False)
    weights = model.state_dict()
    shared = {}
    for name in own.state_dict():
        parts = name.split(".")
        if parts[3:4] in (["down"], ["up"]):
            parts[4] = parts[4].rpartition("_")[2]
        shared[name] = weights[".".join(parts)]
    own.load_state_dict(shared)
    torch.testing.assert_close(own(**batch).logits, model(**batch).logits)
    assert sum(p.numel() for p in own.parameters()) > sum(p.numel() for p in model.parameters())


@torch.no_grad()
def test_time_sees_order_and_hearing_changes_seeing():
    for experts in (CAST, CA2ST):
        model = tiny(experts=experts)
        batch = clips(model.config)
        before = model(**batch).logits
        batch["pixel_values_videos"] = batch["pixel_values_videos"].flip(1)
        assert (model(**batch).logits - before).abs().max() > 1e-2
    model = tiny(experts=CAVA)
    batch = clips(model.config)
    before = model.ca2st(**batch).last_hidden_state
    batch["input_values"] = batch["input_values"].flip(1)
    assert (model.ca2st(**batch).last_hidden_state - before).abs().max() > 1e-2


def frames(*shape: int) -> dict:
    return {"pixel_values_videos": torch.randn(*shape)}


def without(name: str) -> dict:
    return {key: value for key, value in clips(tiny_config(experts=CA2ST)).items() if key != name}


def instead(name: str, value: torch.Tensor) -> dict:
    return clips(tiny_config(experts=CA2ST)) | {name: value}


BAD = {
    "nothing": (CAST, dict, r"pixel_values_videos must be \(clips, 8, 3, 24, 24\), got None"),
    "an image": (CAST, lambda: frames(2, 3, 24, 24), r"got \(2, 3, 24, 24\)"),
    "channels before frames": (CAST, lambda: frames(2, 3, 8, 24, 24), r"got \(2, 3, 8, 24, 24\)"),
    "too few frames": (CAST, lambda: frames(2, 6, 3, 24, 24), r"got \(2, 6, 3, 24, 24\)"),
    "larger frames": (CAST, lambda: frames(2, 8, 3, 32, 32), r"got \(2, 8, 3, 32, 32\)"),
    "no sound": (CA2ST, lambda: without("input_values"),
                 r"input_values must be .*\(2, 40, 24\).* got None; for clips without sound pass zeros"),
    "sound of one clip": (CA2ST, lambda: instead("input_values", torch.randn(1, 40, 24)), r"got \(1, 40, 24\)"),
    "mel bins first": (CA2ST, lambda: instead("input_values", torch.randn(2, 24, 40)), r"got \(2, 24, 40\)"),
    "sound for CAST": (CAST, lambda: without("audio_mask"), r"no audio expert \(space, time\): leave out"),
    "a mask of rows": (CA2ST, lambda: instead("audio_mask", torch.ones(2, 40)),
                       r"audio_mask must be of shape \(2,\) \(clips\), got \(2, 40\)"),
    "one time": (CA2ST, lambda: instead("frame_times", torch.zeros(2)),
                 r"frame_times must be seconds of shape \(2, 8\), got \(2,\)"),
    "a length": (CA2ST, lambda: instead("audio_span", torch.zeros(2, 1)),
                 r"audio_span must be seconds of shape \(2, 2\), got \(2, 1\)"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_bad_inputs_say_what_is_accepted(kind):
    experts, make, message = BAD[kind]
    with pytest.raises(ValueError, match=message):
        tiny(experts=experts)(**make())


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_eager_equals_sdpa_and_outputs_have_names(variant):
    model = tiny(**VARIANTS[variant])
    config, batch = model.config, clips(model.config)
    sdpa = model(**batch)
    assert set(sdpa) == {"logits"}
    model.set_attn_implementation("eager")
    eager = model(**batch, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(sdpa.logits, eager.logits, rtol=1e-4, atol=1e-4)
    audio = 2 + config.audio_grid[0] * config.audio_grid[1]
    states = {"space": (2, 4, 10, 36), "time": (2, 4, 9, 36), "audio": (2, audio, 36)}
    weights = {"space": (8, 3, 10, 10), "time": (2, 3, 36, 36), "audio": (2, 3, audio, audio)}
    for expert in config.experts:
        assert [tuple(each.shape) for each in eager[f"{expert}_hidden_states"]] == [states[expert]] * 4
        assert [tuple(each.shape) for each in eager[f"{expert}_attentions"]] == [weights[expert]] * 3
    for expert in {"time", "audio"} - set(config.experts):
        assert f"{expert}_hidden_states" not in eager
    assert eager.hidden_states is eager.space_hidden_states and eager.attentions is eager.space_attentions
    some = model(**batch, output_hidden_states=[0, -1])
    assert [states is None for states in some.time_hidden_states or some.audio_hidden_states] == [
        False,
        True,
        True,
        False,
    ]
    slots, patches = config.num_slots, config.num_patches
    crossed = {
        "space_time": [(2, patches * 3, slots, slots), (2 * slots, 3, patches, patches)],
        "space_audio": [(2, 3, slots * patches, audio - 2), (2, 3, audio - 2, slots * patches)],
        "time_audio": [(2, 3, slots * patches, audio - 2), (2, 3, audio - 2, slots * patches)],
    }
    expected = [
        shape for layer in range(3) for pair in config.pairs if layer in config.exchange_layers[pair]
        for shape in crossed[pair]
    ]  # fmt: skip
    assert [tuple(each.shape) for each in eager.cross_attentions] == expected
    for each in eager.cross_attentions:
        torch.testing.assert_close(each.sum(-1), torch.ones(each.shape[:-1]))


@torch.no_grad()
def test_features_of_the_experts_side_by_side():
    model = tiny(experts=CA2ST).ca2st
    batch = clips(model.config)
    outputs = model(**batch, output_hidden_states=True)
    space, time, audio = outputs.pooler_output.chunk(3, dim=1)
    features = model.features
    last = outputs.space_hidden_states[-1], outputs.time_hidden_states[-1], outputs.audio_hidden_states[-1]
    assert torch.equal(outputs.last_hidden_state, last[0])
    torch.testing.assert_close(space, features["space"].layernorm(last[0][:, :, 0].mean(1)))
    torch.testing.assert_close(time, features["time"].layernorm(last[1].mean((1, 2))))
    normed = features["audio"].layernorm(last[2])
    torch.testing.assert_close(audio, (normed[:, 0] + normed[:, 1]) / 2)
    assert isinstance(model(**batch, return_dict=False), tuple)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "backend"),
    [("CAST", "aot_eager"), ("CAVA", "aot_eager"), ("CA2ST in parallel", "aot_eager"), ("CA2ST", "inductor")],
)
def test_compiles_without_graph_breaks(variant, backend):
    depth = 1 if backend == "inductor" else 3  # which takes a minute a layer
    model = tiny(**VARIANTS[variant], drop_path_rate=0.1, num_hidden_layers=depth)
    batch = clips(model.config)
    if "audio_mask" in batch:
        batch["audio_mask"][0] = False
    torch._dynamo.reset()  # what other tests compiled counts towards its limit
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend=backend)
    with torch.no_grad():
        torch.testing.assert_close(compiled(**batch).logits, model(**batch).logits, rtol=1e-4, atol=1e-4)
    compiled.train()(**batch, labels=torch.tensor([0, 4])).loss.backward()


@pytest.mark.gpu
@pytest.mark.parametrize("implementation", ["flash_attention_2", "flex_attention", "sdpa"])
def test_fast_paths_equal_eager_on_gpu(implementation):
    config = tiny_config(experts=CA2ST, hidden_size=96)
    model = CA2STForVideoClassification(config).eval().to("cuda", torch.bfloat16)
    batch = {name: value.to("cuda") for name, value in clips(config).items()}
    with torch.no_grad():
        model.set_attn_implementation("eager")
        eager = model(**batch).logits
        model.set_attn_implementation(implementation)
        torch.testing.assert_close(model(**batch).logits, eager, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("variant", ["CAST", "CAVA", "CA2ST"])
def test_exports_with_dynamic_batch(variant):
    model = tiny(**VARIANTS[variant], num_hidden_layers=1)
    example, other = clips(model.config, batch=2), clips(model.config, batch=5)
    batch = torch.export.Dim("batch", min=1, max=64)
    shapes = {name: {0: batch} for name in example}
    program = torch.export.export(model, (), example, dynamic_shapes=shapes, strict=False)
    if "audio_mask" in other:
        other["audio_mask"][[0, 3]] = False
    with torch.no_grad():
        exported = program.module()(**other).logits
        torch.testing.assert_close(exported, model(**other).logits, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("variant", ["CAST", "CAVA", "CA2ST"])
def test_bfloat16_runs_and_stays_close(variant):
    model = CA2STForVideoClassification(tiny_config(**VARIANTS[variant])).eval()
    batch = clips(model.config)
    with torch.no_grad():
        full = model(**batch).logits
        half = model.to(torch.bfloat16)(**batch).logits  # inputs are cast to the weights' type, seconds too
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), full, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("variant", ["CAST", "CA2ST", "CA2ST, own projections, tables"])
def test_activation_checkpointing_gives_the_same_gradients(variant, reentrant):
    plain, checkpointed = tiny(**VARIANTS[variant]), tiny(**VARIANTS[variant])
    checkpointed.load_state_dict(plain.state_dict())
    checkpointed.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": reentrant})
    batch, labels = clips(plain.config), torch.tensor([2, 0])
    for model in (plain, checkpointed):
        if not reentrant:  # which needs something before the first layer to ask for gradients
            model.freeze_experts()
        model.train()(**batch, labels=labels).loss.backward()
    for (name, a), (_, b) in zip(plain.named_parameters(), checkpointed.named_parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), name
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-5, msg=name)


def kept_for_backward(model: nn.Module, batch: dict[str, torch.Tensor]) -> int:
    """Bytes that a forward pass keeps for the backward pass, without weights; shared memory counts once."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is used twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(**batch, labels=torch.tensor([1, 3]))
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("variant", ["CAST", "CAVA", "CA2ST"])
def test_frozen_experts_take_a_fraction_of_the_memory(variant):
    """Proportions of B/16 in small, so that of each kind of activation there is as much for another."""
    widths = {"hidden_size": 96, "num_attention_heads": 4, "intermediate_size": 384, "num_hidden_layers": 6}
    model = CA2STForVideoClassification(tiny_config(**VARIANTS[variant], **widths)).train()
    batch = clips(model.config)
    everything = kept_for_backward(model, batch)
    model.freeze_experts(recompute=False)
    assert kept_for_backward(model, batch) <= 0.8 * everything
    model.freeze_experts()
    assert kept_for_backward(model, batch) <= 0.6 * everything
    model.activation_checkpointing_enable()
    assert kept_for_backward(model, batch) <= 0.1 * everything


@pytest.mark.parametrize("variant", VARIANTS)
def test_frozen_experts_get_no_gradients_and_computing_again_changes_none(variant):
    model = tiny(**VARIANTS[variant], drop_path_rate=0.3).train()
    batch, gradients = clips(model.config), []
    for recompute in (False, True):
        model.freeze_experts(recompute)
        model.zero_grad()
        torch.manual_seed(5)  # of drop path
        model(**batch, labels=torch.tensor([1, 3])).loss.backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen and not frozen & gradients[0].keys()
    assert gradients[0].keys() == gradients[1].keys()
    for name in gradients[0]:
        assert torch.equal(gradients[0][name], gradients[1][name]), name


def test_drop_path_drops_whole_clips_and_grows_with_depth():
    model = tiny(experts=CA2ST, drop_path_rate=0.5).train()
    assert [getattr(layer.drop_path, "p", 0.0) for layer in model.ca2st.layers] == [0.0, 0.25, 0.5]
    layer = model.ca2st.layers[2]
    dropped = layer.drop_path(torch.ones(64, 4, 10, 36)).flatten(1)
    assert set(dropped.amin(1).tolist()) == {0.0, 2.0} and torch.equal(dropped.amin(1), dropped.amax(1))
    attended = layer.attentions["audio"](torch.ones(64, 20, 36)) - 1  # of sound, the expert's own branch too
    assert 0 < (attended.flatten(1).abs().amax(1) == 0).sum() < 64
    assert (layer.attentions["time"](torch.ones(64, 4, 9, 36)) - 1).flatten(1).abs().amax(1).min() > 0
    narrow = layer.mlps["space"](torch.ones(64, 4, 10, 36)).flatten(1)
    assert len({tuple(row.tolist()) for row in narrow}) == 2


def test_losses():
    batch = clips(tiny_config(experts=CAVA))
    for problem_type, labels, expected in (
        (None, torch.tensor([1, 4]), nn.functional.cross_entropy),
        ("single_label_classification", torch.rand(2, 5).softmax(-1), nn.functional.cross_entropy),
        ("multi_label_classification", torch.ones(2, 5), nn.functional.binary_cross_entropy_with_logits),
        ("regression", torch.randn(2, 5), nn.functional.mse_loss),
    ):  # fmt: skip
        model = tiny(experts=CAVA, problem_type=problem_type)
        outputs = model(**batch, labels=labels)
        torch.testing.assert_close(outputs.loss, expected(outputs.logits, labels))
    with pytest.raises(ValueError, match=r"soft labels must have shape \(2, 5\), got \(2, 4\)"):
        tiny(experts=CAVA, problem_type="single_label_classification")(**batch, labels=torch.rand(2, 4))


@pytest.mark.parametrize("experts", [CAST, CAVA, CA2ST])
def test_losses_of_actions(experts):
    model = tiny_actions(experts=experts)
    batch = clips(model.config)
    verbs, nouns = torch.tensor([5, 0]), torch.tensor([6, 2])
    outputs = model(**batch, verb_labels=verbs, noun_labels=nouns)
    assert outputs.verb_logits.shape == (2, 6) and outputs.noun_logits.shape == (2, 7)
    loss = nn.functional.cross_entropy
    torch.testing.assert_close(outputs.loss, loss(outputs.verb_logits, verbs) + loss(outputs.noun_logits, nouns))
    soft = nn.functional.one_hot(verbs, 6).float(), nn.functional.one_hot(nouns, 7).float()
    torch.testing.assert_close(model(**batch, verb_labels=soft[0], noun_labels=soft[1]).loss, outputs.loss)
    with pytest.raises(ValueError, match="give both verb_labels and noun_labels, or neither"):
        model(**batch, verb_labels=verbs)


def test_an_action_is_found_when_verb_and_noun_are():
    verbs = torch.tensor([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    nouns = torch.tensor([[0.1, 0.2, 0.3, 0.4]]).expand(4, -1)
    verb_labels, noun_labels = torch.tensor([0, 1, 0, 2]), torch.tensor([3, 2, 1, 3])
    found = CA2STForActionRecognition.action_in_top
    assert found(verbs, nouns, verb_labels, noun_labels).tolist() == [True, False, False, False]
    assert found(verbs, nouns, verb_labels, noun_labels, k=2).tolist() == [True, True, False, False]
    assert found(verbs, nouns, verb_labels, noun_labels, k=3).tolist() == [True, True, True, True]


@pytest.mark.parametrize(
    ("variant", "head"), [(variant, "label") for variant in VARIANTS] + [("CA2ST", "verb and noun")]
)
def test_saving_keeps_every_bit(variant, head, tmp_path):
    model = HEADS[head](**VARIANTS[variant])
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(tmp_path)
    batch = clips(model.config)
    with torch.no_grad():
        assert torch.equal(logits(loaded(**batch)), logits(model(**batch)))
    of_the_load = {"dtype": None, "_name_or_path": None}
    assert loaded.config.to_dict() | of_the_load == model.config.to_dict() | of_the_load
    base = CA2STModel.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(base(**batch).pooler_output, model.ca2st(**batch).pooler_output)
