"""What the models are told."""

from server.pipeline.models import also_said


def test_a_turn_is_told_of_the_six_before_it_each_behind_its_role() -> None:
    told = ""
    for place in range(8):
        told = also_said(told, "agent" if place % 2 else "customer", f"第{place}句\n话")
        if place == 0:
            assert told == "customer:第0句 话"
    assert told.splitlines() == [f"{'agent' if i % 2 else 'customer'}:第{i}句 话" for i in range(2, 8)]
