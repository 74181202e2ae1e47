"""What whoever installs from a farm needs: the trust root and these checks, no account, no network."""
