import gc

from bot.operations.collector import set_loaded_objects_aside


def test_what_is_loaded_is_not_looked_through_again():
    loaded = [[] for _ in range(1000)]

    num_aside = set_loaded_objects_aside()
    try:
        num_tracked = len(gc.get_objects())
    finally:
        gc.unfreeze()

    assert num_aside > len(loaded)
    assert num_tracked < num_aside
