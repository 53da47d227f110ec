"""Raw data to tensors and back: both directions in one file per kind of data."""
