"""synthloom reconstruct"""

from __future__ import annotations

from synthloom.cli.options import Force, Items, ModelPath, Out, load_model, may_write


def run(model: ModelPath, data: Items, out: Out, force: Force = False) -> None:
    """Send rows, texts or images through the latent and back: what the model remembers of each."""
    path = may_write(out, force)
    synthesizer, source = load_model(model)
    source.write(synthesizer.reconstruct(source.read(data)), path)
