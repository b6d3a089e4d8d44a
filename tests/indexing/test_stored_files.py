"""The packed table of what is stored, against the rows themselves."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ocelot.collection import EncoderIdentity, Row
from ocelot.indexing.folders import StoredFiles, metadata_hash

IDS = [hashlib.sha256(bytes([n])).hexdigest() for n in range(3)]
ROWS = [
    Row(IDS[0], {"/a.jpg": 2**62, "/é 漢.jpg": 1}, 2**40, vector=np.ones(4, np.float32)),
    Row(IDS[1], {"/b.jpg": -5}, 3, metadata={"n": 1}, vector=np.ones(4, np.float32)),
    Row(IDS[2], {"/a.jpg": 7}, 4, vector=np.ones(4, np.float32)),
]


@pytest.mark.parametrize("metadata", [True, False])
def test_every_claim_to_a_path_comes_back(open_collection, metadata):
    collection = open_collection(encoder=EncoderIdentity("t", "0" * 64, 4))
    collection.upsert(ROWS)
    collection.upsert(
        [Row("own", {"/a.jpg": 7, "/o": 8}, 4, vector=np.ones(4, np.float32), sha256=IDS[2])]
    )  # left out: it belongs to whoever added it
    known = StoredFiles(collection, metadata=metadata)
    assert {id.hex() for id in known.ids} == set(IDS)
    assert set(known) == {path for row in ROWS for path in row.paths}
    for path in known:
        claims = [
            (row.id, row.size, row.paths[path], metadata_hash(row.metadata) if metadata else 0)
            for row in sorted(ROWS, key=lambda row: row.id)
            if path in row.paths
        ]
        assert [(seen.id.hex(), *seen[1:]) for seen in known.at(path)] == claims
    assert known.at("/nowhere.jpg") == []
