"""The Transformer: causal, cached, and blind to padding."""

import math

import pytest
import torch

from synthloom.attention import DenoisingAttention, Mixture
from synthloom.errors import UsageError
from synthloom.nets.transformer import Attention, Decoder, Encoder
from synthloom.rng import seeded


@pytest.fixture(params=["vectors", "mixture"])
def decoding(request):
    """A decoder, its input, and the code it looks at."""
    with seeded("decoder", request.param):
        if request.param == "vectors":
            decoder = Decoder(16, layers=2, heads=4, cross=lambda: Attention(16, heads=4, memory_width=3))
            code = (torch.randn(3, 6, 3).double(), torch.rand(3, 6) > 0.3)
        else:
            decoder = Decoder(16, layers=2, heads=4, cross=lambda: DenoisingAttention(16, components=3, heads=4))
            code = (Mixture(torch.randn(3, 6, 3).double(), torch.rand(3, 6, 3).double(), torch.randn(3, 6).double()),)
        return decoder.double(), torch.randn(3, 7, 16).double(), code


def largest(difference):
    return difference.abs().max().item()


@pytest.mark.parametrize("chunks", [[1] * 7, [3, 1, 3], [5, 2]])
def test_writing_in_steps_is_writing_at_once(decoding, chunks):
    decoder, x_BMD, code = decoding
    cache = decoder.start(*code)
    at_once, _ = decoder(x_BMD, cache)
    steps = []
    for chunk in x_BMD.split(chunks, dim=1):
        step, cache = decoder(chunk, cache)
        steps.append(step)
    assert largest(torch.cat(steps, 1) - at_once) < 1e-12


def test_no_token_sees_what_follows_it(decoding):
    decoder, x_BMD, code = decoding
    changed = x_BMD.clone()
    changed[:, 4:] *= -1
    before, after = (decoder(x, decoder.start(*code))[0] for x in (x_BMD, changed))
    assert largest(before[:, :4] - after[:, :4]) < 1e-12
    assert largest(before[:, 4:] - after[:, 4:]) > 1e-3


def test_a_cache_can_leave_items_behind(decoding):
    decoder, x_BMD, code = decoding
    _, cache = decoder(x_BMD[:, :3], decoder.start(*code))
    index = torch.tensor([2, 0])
    kept, _ = decoder(x_BMD[index, 3:], cache.take(index))
    assert largest(kept - decoder(x_BMD, decoder.start(*code))[0][index, 3:]) < 1e-12


def test_the_decoder_looks_at_its_code(decoding):
    decoder, x_BMD, (code, *mask) = decoding
    other = code + 1 if torch.is_tensor(code) else Mixture(code.mu + 1, code.var, code.log_weight)
    assert (
        largest(decoder(x_BMD, decoder.start(code, *mask))[0] - decoder(x_BMD, decoder.start(other, *mask))[0]) > 1e-3
    )


def test_padding_and_batch_mates_change_nothing():
    with seeded(1):
        encoder, x_BND = Encoder(16, layers=2, heads=4).double(), torch.randn(3, 5, 16).double()
    mask_BN = torch.tensor([[True] * 5, [True] * 3 + [False] * 2, [True] + [False] * 4])
    padded = torch.cat([x_BND, torch.full((3, 4, 16), 1e3, dtype=torch.float64)], 1)
    together = encoder(padded, torch.cat([mask_BN, torch.zeros(3, 4, dtype=torch.bool)], 1))
    for row, length in enumerate((5, 3, 1)):
        alone = encoder(x_BND[row : row + 1, :length])
        assert largest(together[row, :length] - alone[0]) < 1e-12


def test_attention_is_softmax_of_products():
    with seeded(2):
        attention = Attention(8, heads=2, memory_width=3).double()
        x_BMD, y_BND = torch.randn(2, 4, 8).double(), torch.randn(2, 5, 3).double()
    q, k, v = (t.unflatten(2, (2, 4)) for t in (attention.query(x_BMD), attention.key(y_BND), attention.value(y_BND)))
    a_BHMN = (torch.einsum("bmhe,bnhe->bhmn", q, k) / math.sqrt(4)).softmax(3)
    expected = attention.out(torch.einsum("bhmn,bnhe->bmhe", a_BHMN, v).flatten(2))
    assert largest(attention(x_BMD, attention.remember(y_BND)) - expected) < 1e-12


def test_gradients_reach_every_parameter(decoding):
    decoder, x_BMD, code = decoding
    encoder = Encoder(16, layers=2, heads=4).double()
    decoder(encoder(x_BMD), decoder.start(*code))[0].square().sum().backward()
    assert all(p.grad is not None and largest(p.grad) > 0 for net in (encoder, decoder) for p in net.parameters())


def test_heads_must_divide_the_width():
    with pytest.raises(UsageError, match="multiple"):
        Attention(10, heads=3)


def test_items_may_have_written_different_tokens():
    """Tokens that an item did not write are as good as never there."""
    torch.manual_seed(0)
    decoder = Decoder(8, 2, 2, cross=lambda: Attention(8, memory_width=3)).eval()
    code_BND, x_BMD = torch.randn(1, 4, 3), torch.randn(1, 4, 8)
    with torch.no_grad():
        _, cache = decoder(x_BMD[:, :2], decoder.start(code_BND))
        without, _ = decoder(x_BMD[:, 3:], cache)
        _, cache = decoder(x_BMD[:, :3], decoder.start(code_BND))
        cache = cache.only(torch.tensor([[True, True, False]]))
        hidden, _ = decoder(x_BMD[:, 3:], cache)
    torch.testing.assert_close(hidden, without)
