import gc

from bot.operations.garbage_collection import THRESHOLDS, loaded_objects_frozen


def test_what_is_loaded_is_not_looked_through_until_the_end_of_the_block():
    loaded = [[] for _ in range(1000)]

    with loaded_objects_frozen():
        num_tracked, num_aside = len(gc.get_objects()), gc.get_freeze_count()
        assert gc.get_threshold()[0] == THRESHOLDS[0]

    assert num_aside > len(loaded)
    assert num_tracked < num_aside
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold()[0] != THRESHOLDS[0]
    assert any(found is loaded for found in gc.get_objects())
