"""Trained models on disk: what each has seen."""

from __future__ import annotations

import numpy as np

from hazecast.models.trained import TrainedModel, newest_unseen


def test_a_model_is_unseen_where_its_card_says_that_it_read_other_years_or_other_places(tmp_path) -> None:
    card = {
        "period": ["2010-01-01T00", "2020-01-01T00"],
        "periods": {"one": ["2010-01-01T00", "2014-01-01T00"], "two": ["2015-01-01T00", "2020-01-01T00"]},
        "places": ["beijing", "seoul", "Tiantan"],
    }
    model = TrainedModel("mine", tmp_path, card, shipped=False)

    def unseen(collection: str, places: list[str], time: str = "2016-01-01") -> bool:
        return newest_unseen([model], collection, places, np.datetime64(time, "ns")) is model

    # Trained until then, on all.
    assert unseen("one", ["beijing"], "2020-01-01") and unseen("other", ["beijing"], "2021-01-01")
    # The collection was read to an earlier hour, or only later ones than are scored.
    assert unseen("one", ["beijing"]) and not unseen("one", ["beijing"], "2013-12-31")
    assert not unseen("two", ["beijing"])
    # Places that were left out, all of them, in any collection.
    assert unseen("two", ["shanghai"]) and not unseen("two", ["shanghai", "beijing"])
    assert unseen("other", ["shanghai"]) and not unseen("other", ["Tiantan"])
    # A card that tells no periods vouches for its end alone.
    bare = TrainedModel("bare", tmp_path, {"period": card["period"], "places": ["beijing"]}, shipped=False)
    assert newest_unseen([bare], "other", ["shanghai"], np.datetime64("2016-01-01", "ns")) is None
