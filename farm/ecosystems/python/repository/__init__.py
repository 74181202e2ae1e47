"""The Python index in a bucket: wheels and their records, the pages of the simple API, and how they are served."""
