"""The catalog: every recipe of a farm as a graph, what of it is to be built, in which order, and how a night went."""
