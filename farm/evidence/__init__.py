"""What is written about a file: provenance, SBOM, summary. Pure and deterministic: no I/O, no clock, no random ids."""
