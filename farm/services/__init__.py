"""The embedded services of `farm up`: object store, signer, index, Prefect server and worker, as child processes."""
