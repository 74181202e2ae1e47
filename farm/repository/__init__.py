"""Publishing and serving a bucket: the order of writing, the gate, HTTP. Languages say what lies where (`Layout`)."""
