"""A linear language model: whatever it says of interventions can be said exactly."""

from types import SimpleNamespace

import torch

from saegrid.models import Family, Sizes
from saegrid.models.load import Loaded


class Mixing(torch.nn.Module):
    """A block: the mean over the tokens so far through one matrix, then the MLP's of the sum."""

    def __init__(self, d, generator):
        super().__init__()
        self.attention = torch.nn.Linear(d, d, bias=False)
        self.mlp = torch.nn.Linear(d, d, bias=False)
        for part in (self.attention, self.mlp):
            part.weight.data = torch.randn(d, d, generator=generator) / d**0.5

    def forward(self, x, **kwargs):
        steps = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None]
        x = x + self.attention(x.cumsum(1) / steps)
        return x + self.mlp(x)


class Body(torch.nn.Module):
    def __init__(self, layers, d, vocab, generator):
        super().__init__()
        self.embed = torch.nn.Embedding(vocab, d)
        self.embed.weight.data = torch.randn(vocab, d, generator=generator)
        self.blocks = torch.nn.ModuleList(Mixing(d, generator) for _ in range(layers))

    def forward(self, input_ids, attention_mask=None, use_cache=False):
        x = self.embed(input_ids)
        for block in self.blocks:
            x = block(x)
        return (x,)


class Headed(torch.nn.Module):
    def __init__(self, layers, d, vocab, generator):
        super().__init__()
        self.base_model = Body(layers, d, vocab, generator)
        self.head = torch.nn.Linear(d, vocab)
        self.head.weight.data = torch.randn(vocab, d, generator=generator)
        self.config = SimpleNamespace(to_dict=dict)

    def get_output_embeddings(self):
        return self.head


FAMILY = Family("linear", "blocks", "attention", "mlp", last=None)


def linear(layers=2, d=16, vocab=40, dtype=torch.float64, seed=0):
    """A linear model; the mean over tokens makes every position count for the last one."""
    generator = torch.Generator().manual_seed(seed)
    model = Headed(layers, d, vocab, generator).to(dtype).eval().requires_grad_(False)
    return Loaded(model, FAMILY, Sizes(layers, d, d, vocab, 64, d), "linear toy")
