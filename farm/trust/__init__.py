"""Trust: the signer, its client, and offline verification. Key code is in `authority` and loads in the signer alone."""
