"""The Maven repository in a bucket: versions and their records, the metadata, and how it is served."""
