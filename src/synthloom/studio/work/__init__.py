"""What worker processes do: one file per action. All that computes is here, and nothing that serves pages."""
