"""Plain modules: they know nothing of VAEs, and of the data no more than a spec."""
