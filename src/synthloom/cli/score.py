"""synthloom score"""

from __future__ import annotations

from synthloom.cli.options import Force, Items, ModelPath, Out, load_model, may_write


def run(model: ModelPath, data: Items, out: Out, force: Force = False) -> None:
    """Write the evidence lower bound of each item, in nats: at most its log-likelihood; the lowest are unusual."""
    path = may_write(out, force)
    synthesizer, source = load_model(model)
    import pandas as pd

    from synthloom.sources import write_table

    write_table(pd.DataFrame({"log_prob": synthesizer.log_prob(source.read(data))}), path)
