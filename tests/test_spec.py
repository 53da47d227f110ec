"""A batch of texts: taking copies nothing, and what is taken, moved or joined spells the same."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from synthloom.spec import END, TextBatch

TEXTS = st.lists(st.lists(st.integers(1, 9), max_size=6).map(lambda text: [*text, END]), min_size=1, max_size=8)


def spelled(batch):
    return [row[:n] for row, n in zip(batch.token_BN.tolist(), batch.length_B.tolist(), strict=True)]


@given(TEXTS, st.data())
def test_a_batch_spells_its_texts(texts, data):
    batch = TextBatch.of(texts, list(range(len(texts))))
    assert spelled(batch) == texts
    assert batch.mask_BN.sum(1).tolist() == list(map(len, texts))
    assert (batch.token_BN[~batch.mask_BN] == END).all()
    index = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=10))
    taken = batch.take(torch.tensor(index, dtype=torch.int64))
    assert taken.strip_T is batch.strip_T
    for same in (taken, taken.to(torch.device("cpu"))):
        assert spelled(same) == [texts[i] for i in index]
        assert same.label_B.tolist() == index
    assert len(taken.to(torch.device("cpu")).strip_T) == sum(len(texts[i]) for i in index)
    assert spelled(TextBatch.cat([taken, batch, taken])) == [texts[i] for i in index] + texts + [
        texts[i] for i in index
    ]


def test_texts_that_are_not_yet_begun():
    batch = TextBatch.of([[], []])
    assert batch.token_BN.shape == (2, 0)
    assert batch.to(torch.device("cpu")).label_B.tolist() == [-1, -1]
    assert spelled(TextBatch.cat([batch, TextBatch.of([[3]])])) == [[], [], [3]]
