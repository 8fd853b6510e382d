from trivium.platform.flatten import flatten


def test_settings_become_dotted_paths_and_plain_lists_stay_whole() -> None:
    job = {"model": {"name": "cnn", "channels": [32, 64]}, "transforms": [{"name": "a"}, "b"]}
    assert flatten(job) == {
        "model.name": "cnn",
        "model.channels": [32, 64],
        "transforms.0.name": "a",
        "transforms.1": "b",
    }
