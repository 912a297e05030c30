"""The window's pages. Each view reads, arranges and renders; what numbers mean lives elsewhere."""
