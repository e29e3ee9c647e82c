"""What logs mean, and what they have in common: vectors, cells, neighbours."""
