"""The manifest says all that must be known of a network, licence included, and is checked."""

import pytest

from faceveil.errors import LicenceError, UsageError, WeightsError
from faceveil.weights.manifest import load_manifest, network_named


def test_every_network_says_its_source_licence_and_caveat():
    networks = load_manifest()
    assert set(networks) == {
        "mtcnn",
        "centerface",
        "retinaface",
        "deepface-retinaface",
        "facenet512",
        "arcface-mobilefacenet",
        "arcface-resnet100",
        "dlib-hog",
        "dlib-resnet",
        "transnetv2",
    }
    for network in networks.values():
        assert network.licence and network.source.location
        assert len(network.training_data) > 40, (
            f"{network.name} does not say what it was trained on"
        )
        assert all((member.size > 0) == bool(member.sha256) for member in network.members)
        assert network.thresholds["accept"] > 0


def test_recognizers_say_how_long_a_feature_is():
    networks = load_manifest()
    assert networks["arcface-mobilefacenet"].feature_size == 192
    assert networks["arcface-resnet100"].feature_size == 512
    assert networks["arcface-resnet100"].input_size == (112, 112)


def test_a_name_of_another_role_is_refused_with_the_names_there_are():
    with pytest.raises(UsageError, match="arcface-mobilefacenet"):
        network_named("mtcnn", "recognizer", load_manifest())


def test_a_licence_against_commercial_use_must_be_accepted(write_manifest):
    path = write_manifest('url = "http://127.0.0.1/x"', "x", b"x", commercial_use=False)
    network = load_manifest(path)["tiny"]
    with pytest.raises(LicenceError, match="test licence"):
        network.require_licence(accepted=False)
    network.require_licence(accepted=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("commercial_use = true", 'commercial_use = "yes"'),
        ("commercial_use = true", ""),
        ('role = "recognizer"', 'role = "dancer"'),
        ('file = "model"', 'file = "../../model"'),
        ("[networks.tiny]", '[networks."../tiny"]'),
        ("url =", "ftp ="),
        ("sha256 =", "sha1 ="),
        ("[networks.tiny]", "[networks.tiny"),
    ],
)
def test_a_manifest_that_lacks_or_breaks_something_is_refused(write_manifest, old, new):
    path = write_manifest('url = "http://127.0.0.1/x"', "x", b"x")
    text = path.read_text()
    assert old in text
    # the name occurs in the members' table too: a TOML error there is just as well a refusal
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(WeightsError, match=r"manifest\.toml"):
        load_manifest(path)
