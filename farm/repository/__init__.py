"""The Python index in a bucket: what is published, in which order it is written, and how it is served."""
