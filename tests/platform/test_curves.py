from trivium.platform.curves import Curve, curve_groups, mean_groups


def test_train_and_validation_share_a_chart_and_judged_charts_come_first() -> None:
    records = [
        {"step": 10, "epoch": 1, "time_s": 1.0, "samples_per_s": 5.0, "lr": 0.1, "train/loss": 2.0},
        {"step": 10, "epoch": 1, "time_s": 1.0, "validation/loss": 3.0},
        {"step": 20, "epoch": 2, "time_s": 2.0, "validation/loss": 2.5, "train/loss": None},
    ]
    groups = curve_groups(records)
    assert [g.title for g in groups] == ["loss", "lr", "samples_per_s"]
    assert groups[0].x_label == "epoch"
    assert groups[0].curves == (
        Curve("train/loss", (1.0, 2.0), (2.0, None)),
        Curve("validation/loss", (1.0, 2.0), (3.0, 2.5)),
    )


def test_extremes_become_a_band_over_environment_steps() -> None:
    records = [
        {
            "step": i,
            "env_steps": 100 * i,
            "time_s": 0.0,
            "loss/policy": 0.1,
            "episode/return_mean": 2.0 * i,
            "episode/return_min": 1.0 * i,
            "episode/return_max": 3.0 * i,
        }
        for i in (1, 2)
    ]
    returns, loss = curve_groups(records)
    assert (returns.title, returns.x_label) == ("return", "environment steps")
    assert returns.curves == (
        Curve("episode/return_mean", (100.0, 200.0), (2.0, 4.0), (1.0, 2.0), (3.0, 6.0)),
    )
    assert loss.title == "loss/policy"


def test_a_confidence_interval_becomes_a_band() -> None:
    records = [
        {"step": 1, "time_s": 0.0, "evaluation/return_mean": 5.0, "evaluation/return_ci95": 2.0},
        {"step": 2, "time_s": 0.0, "evaluation/return_mean": 7.0, "evaluation/return_ci95": None},
    ]
    (group,) = curve_groups(records)
    assert group.curves == (
        Curve("evaluation/return_mean", (1.0, 2.0), (5.0, 7.0), (3.0, None), (7.0, None)),
    )


def test_seeds_are_drawn_as_their_mean_where_all_have_arrived() -> None:
    def records(values: list[float]) -> list[dict[str, float]]:
        return [
            {"step": i, "epoch": i, "time_s": 0.0, "validation/loss": v}
            for i, v in enumerate(values, start=1)
        ]

    (group,) = mean_groups([records([1.0, 2.0]), records([3.0, 6.0, 9.0])])
    assert group.curves == (
        Curve("validation/loss", (1.0, 2.0), (2.0, 4.0), (1.0, 2.0), (3.0, 6.0)),
    )
    assert mean_groups([]) == []
