"""The signer: its own process, the only one that loads key code. Start it with `python -m farm.trust.signer`.

It keeps the job record of each open run, hashes every file itself, writes the provenance statement itself, and signs
nothing else. Workers reach it over a Unix socket with a short-lived token for one run.
"""
