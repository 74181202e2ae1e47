"""The graph of the catalog, drawn: as text, for Graphviz and Mermaid, as SVG. Pure."""
