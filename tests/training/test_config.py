"""Settings: what comes with the program loads, what cannot be is refused with the nearest name, and a config survives its file."""

import dataclasses
import json

import pytest

from training import config
from training.config import (
    PRESETS,
    ConfigError,
    Phase,
    TrainConfig,
    changed,
    curricula,
    curriculum,
    parse_setting,
    parse_size,
    preset,
)

TINY = TrainConfig(phases=(Phase(steps=10),))


def with_phase(**settings):
    return TrainConfig(phases=(Phase(**{"epochs": 10, **settings}),))


# --- presets and curricula ---


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_loads(name):
    found = preset(name)
    assert found.preset == name
    assert found.phases != TrainConfig().phases  # holds a phase of its own


def test_every_preset_file_is_on_the_list():
    assert {path.stem for path in (config.FOLDER / "presets").glob("*.toml")} == set(PRESETS)


def test_presets_say_only_what_differs():
    for name in PRESETS:
        found, defaults = config._read(config.FOLDER / "presets" / f"{name}.toml"), TrainConfig()
        assert [key for key, value in found.items() if key != "phases" and value == getattr(defaults, key)] == [
            "width"
        ] * (
            name == "landscape512"  # which says how wide the published network is
        )


@pytest.mark.parametrize("name", curricula())
def test_every_curriculum_loads_and_trains_landscapes(name):
    phases = curriculum(name)
    assert dataclasses.replace(preset("landscape512"), phases=phases).phases == phases


def test_the_reports_curriculum_has_its_four_phases():
    phases = curriculum("report-main")
    assert [(p.manifest, p.epochs, p.batch_size, p.learning_rate) for p in phases] == [
        ("total", 38, 2, 2e-4),
        ("selection1", 33, 30, 1.2e-3),
        ("selection2", 24, 5, 4e-4),
        ("selection1", 15, 5, 2e-4),
    ]
    assert {p.size for p in phases} == {(512, 384)}


def test_a_curriculum_can_be_a_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[[phases]]\nname = "a"\nepochs = 3\nsize = "256x128"\n[[phases]]\nsteps = 5\n')
    assert curriculum(str(path)) == (Phase(name="a", epochs=3, size=(256, 128)), Phase(steps=5))


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "has no [[phases]]"),
        ("[[phases]]\nepoch = 3\n", 'phase 1: no setting "epoch". Did you mean "epochs"?'),
        ("[[phases]]\nepochs = 1\n[[phases]]\nbatch = 2\n", 'phase 2: no setting "batch". Did you mean "batch_size"?'),
        ("[phases]\nepochs = 1\n", "write [[phases]], with two brackets"),
        ("width = 3\n[[phases]]\n", 'no setting "width".'),
        ("[[phases]\n", "is no TOML"),
    ],
)
def test_a_wrong_curriculum_is_refused_by_its_file(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refusal:
        curriculum(str(path))
    assert str(refusal.value).startswith(str(path))
    assert words in str(refusal.value)


def test_unknown_names_are_answered_with_known_ones():
    with pytest.raises(
        ConfigError, match=r'no preset "landscape521"\. Did you mean "landscape512"\? Presets are landscape512, '
    ):
        preset("landscape521")
    with pytest.raises(
        ConfigError, match=r'no curriculum "report_main"\. Did you mean "report-main"\? Give report-main'
    ):
        curriculum("report_main")


def test_the_preset_fits_the_device():
    assert [config.fitting("cpu", 500 * 10**9)[0], config.fitting("cuda", 80 * 10**9)[0], config.fitting("cuda", 12 * 10**9)[0]] == [
        "small", "landscape512", "landscape256",
    ]  # fmt: skip


# --- what cannot be ---


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"model": "pix2pix"}, 'model = "pix2pix" is none of tsit, spade'),
        ({"gan": "Hinge"}, "is none of hinge, ls"),
        ({"perceptual": "vgg"}, "is none of auto, vgg19"),
        ({"width": 0}, "width = 0 must be at least 1"),
        ({"scales": 0}, "scales = 0 must be at least 1"),
        ({"kl": -0.1}, "kl = -0.1 must not be negative"),
        ({"seed": -1}, "seed = -1 must not be negative"),
        ({"alpha": 1.5}, "alpha goes from 0 to 1"),
        ({"ema": 1.0}, "ema from 0 to below 1"),
        ({"model": "spade", "style_stream": True}, "spade has none"),
        ({"model": "spade", "upsampling": "most", "width": 3}, "must be even"),
        ({"phases": ()}, "there are no phases"),
    ],
)
def test_impossible_settings(settings, words):
    with pytest.raises(ConfigError) as refusal:
        dataclasses.replace(TINY, **settings)
    assert words in str(refusal.value)


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"size": (500, 384)}, "size 500x384; tsit halves a picture until 1/128 is left, so both sides must be multiples of 128, e.g. 512x384"),
        ({"size": (64, 64)}, "e.g. 128x128"),
        ({"size": (0, 128)}, "e.g. 128x128"),
        ({"load_size": (286, 200)}, "load_size 286x200 is smaller than size 256x256"),
        ({"epochs": 0}, "give epochs or steps"),
        ({"steps": 5}, "give epochs or steps"),
        ({"decay_epochs": 11}, "decay_epochs = 11, but there are 10 epochs"),
        ({"decay_epochs": -1}, "decay_epochs = -1"),
        ({"epochs": 0, "steps": 5, "decay_epochs": 1}, "decay_epochs = 1, but there are 0 epochs"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"micro_batch": -1}, "micro_batch not negative"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ],
)  # fmt: skip
def test_impossible_phases(settings, words):
    with pytest.raises(ConfigError) as refusal:
        with_phase(name="first", **settings)
    assert str(refusal.value).startswith('phase "first": ')
    assert words in str(refusal.value)


def test_phases_that_can_be():
    for settings in ({"decay_epochs": 10}, {"size": (512, 384)}, {"load_size": (286, 286)}, {"epochs": 0, "steps": 1}):
        with_phase(**settings)


@pytest.mark.parametrize("upsampling, multiple", [("normal", 32), ("more", 64), ("most", 128)])
def test_spade_takes_multiples_of_what_it_halves(upsampling, multiple):
    def sized(side):
        return TrainConfig(model="spade", upsampling=upsampling, phases=(Phase(epochs=1, size=(side, multiple)),))

    assert sized(3 * multiple).phases[0].size == (3 * multiple, multiple)
    with pytest.raises(ConfigError, match=f"multiples of {multiple}, e.g. {3 * multiple}x{multiple}"):
        sized(3 * multiple + multiple // 4)


def test_the_vae_has_one_size():
    sizes = (Phase(epochs=1, size=(128, 128)), Phase(epochs=1, size=(256, 256)))
    with pytest.raises(ConfigError, match="z starts one size only: add --set vae=false"):
        TrainConfig(phases=sizes)
    assert TrainConfig(vae=False, phases=sizes).phases == sizes


def test_fadain_needs_more_than_one_pixel():
    with pytest.raises(ConfigError, match="more than 128x128"):
        TrainConfig(style_stream=True, phases=(Phase(epochs=1, size=(128, 128)),))
    TrainConfig(style_stream=True, phases=(Phase(epochs=1, size=(256, 128)),))


# --- to a file and back ---


def test_a_config_survives_json():
    for found in (*map(preset, PRESETS), dataclasses.replace(preset("landscape512"), phases=curriculum("report-main"))):
        written = json.loads(json.dumps(found.to_dict()))
        assert written == found.to_dict()
        assert TrainConfig.from_dict(written) == found


@pytest.mark.parametrize(
    "found, words",
    [
        ({"featurematching": 5}, 'config.json: no setting "featurematching". Did you mean "feature_matching"?'),
        ({"xyz": 5}, 'config.json: no setting "xyz".'),
        ({"phases": [{"epochs": 1, "learning_rat": 1}]}, 'config.json, phase 1: no setting "learning_rat". Did you mean "learning_rate"?'),
        ({"phases": [3]}, "config.json, phase 1 is no table"),
        ({"phases": 3}, "config.json: phases is no list"),
        ({"phases": []}, "there are no phases"),
        ({"width": 16.0}, "width = 16.0 is no whole number"),
        ({"width": True}, "width = True is no whole number"),
        ({"kl": "much"}, "kl = 'much' is no number"),
        ({"kl": float("nan")}, "kl = nan is no number"),
        ({"phases": [{"epochs": 1, "learning_rate": float("inf")}]}, "learning_rate = inf is no number"),
        ({"flip": 1}, "flip = 1 is no true or false"),
        ({"phases": [{"epochs": 1, "size": [256]}]}, "size = [256] is no size; write [512, 384]"),
        ({"phases": [{"epochs": 1, "size": "256"}]}, '"256" is no size; write WIDTHxHEIGHT'),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused(found, words):
    with pytest.raises(ConfigError) as refusal:
        TrainConfig.from_dict(found)
    assert words in str(refusal.value)


def test_whole_numbers_are_numbers():
    assert TrainConfig.from_dict({"kl": 1}).kl == 1.0
    assert isinstance(TrainConfig.from_dict({"kl": 1}).kl, float)


# --- what the command line sets ---


def test_settings_change_the_config_and_every_phase():
    found = changed(
        dataclasses.replace(preset("landscape512"), phases=curriculum("report-main")), {"width": 8, "batch_size": 3}
    )
    assert found.width == 8
    assert {phase.batch_size for phase in found.phases} == {3}
    assert [phase.epochs for phase in found.phases] == [38, 33, 24, 15]
    assert found.discriminator_width == 64


def test_steps_and_epochs_replace_each_other():
    by_steps = changed(preset("landscape256"), {"steps": 7}).phases[0]
    assert (by_steps.steps, by_steps.epochs, by_steps.decay_epochs) == (7, 0, 0)
    by_epochs = changed(preset("tiny"), {"epochs": 7}).phases[0]
    assert (by_epochs.steps, by_epochs.epochs) == (0, 7)
    with pytest.raises(ConfigError, match="give epochs or steps"):
        changed(preset("tiny"), {"epochs": 7, "steps": 7})


def test_fewer_epochs_decay_in_their_second_half_unless_said_otherwise():
    assert changed(preset("landscape256"), {"epochs": 20}).phases[0].decay_epochs == 10
    assert changed(preset("landscape256"), {"epochs": 150}).phases[0].decay_epochs == 100
    assert changed(preset("landscape256"), {"epochs": 20, "decay_epochs": 20}).phases[0].decay_epochs == 20
    with pytest.raises(ConfigError, match="decay_epochs = 30, but there are 20 epochs"):
        changed(preset("landscape256"), {"epochs": 20, "decay_epochs": 30})


@pytest.mark.parametrize("key, near", [("batchsize", "batch_size"), ("widht", "width"), ("curriculum", None)])
def test_settings_that_are_none(key, near):
    with pytest.raises(ConfigError) as refusal:
        changed(TINY, {key: 1})
    assert str(refusal.value) == f'the settings: no setting "{key}".' + (f' Did you mean "{near}"?' if near else "")


@pytest.mark.parametrize(
    "text, setting",
    [
        ("width=8", ("width", 8)),
        (" kl = 0.5 ", ("kl", 0.5)),
        ("learning_rate=1e-4", ("learning_rate", 1e-4)),
        ("flip=false", ("flip", False)),
        ("gan=ls", ("gan", "ls")),
        ('gan="ls"', ("gan", "ls")),
        ("size=[512, 384]", ("size", [512, 384])),
        ("size=512x384", ("size", "512x384")),
        ("perceptual_weights=/a/b=c.pth", ("perceptual_weights", "/a/b=c.pth")),
    ],
)
def test_parse_setting(text, setting):
    assert parse_setting(text) == setting


def test_a_setting_needs_a_value():
    with pytest.raises(ConfigError, match='"width" is no setting; write key=value'):
        parse_setting("width")


def test_parse_size():
    assert parse_size("512x384") == parse_size("512X384") == (512, 384)
    for wrong in ("512", "512x", "x384", "-1x3", "1.5x2", "512x384x3", ""):
        with pytest.raises(ConfigError, match="is no size; write WIDTHxHEIGHT"):
            parse_size(wrong)
