"""How a scan came about: the linear forward models of k-space and of thick slices, and what can be inverted of them."""
