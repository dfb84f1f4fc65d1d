"""Random changes by several processes that are killed: see history.py.

VARVE_HISTORY_S (seconds) and VARVE_HISTORY_ACTORS make it longer and larger: VARVE_HISTORY_S=300 VARVE_HISTORY_ACTORS=8.
"""
import collections
import os
import random

import pytest

import history

SECONDS, ACTORS = float(os.environ.get("VARVE_HISTORY_S", 8)), int(os.environ.get("VARVE_HISTORY_ACTORS", 4))
SEED = int(os.environ.get("VARVE_HISTORY_SEED", 20240310))
FEED = "'delta.enableChangeDataFeed' = 'true', 'delta.enableRowTracking' = 'true', 'delta.checkpointInterval' = '7'"


@pytest.mark.parametrize("vectors", [True, False], ids=["vectors", "copies"])
def test_history_is_serial(program, lake, vectors):
    properties = FEED + (", 'delta.enableDeletionVectors' = 'true'" if vectors else "")
    operations, deaths = history.run(program, lake, properties, SECONDS, ACTORS, SEED)
    order = history.judge(program, lake, operations, random.Random(SEED))
    outcomes = collections.Counter(o.outcome for o in operations)
    print(f"{len(order)} commits of {len(operations)} statements ({dict(outcomes)}), {deaths} processes killed")
    assert deaths
