"""Maven: jars and their POMs, built by the Maven that the project names, recorded once and replayed without network."""
