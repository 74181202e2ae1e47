"""`farm scrub`: read every stored byte again, heal what has a source, report the rest.

Listings are streamed, and what has to be held against each other lies in a file of the scratch folder, so memory does
not grow with the stores. Nothing is deleted but what is wrong, after a copy of it was put into quarantine, and every
write replaces one whole object: whoever interrupts it, at any point, has lost nothing.
"""

from farm.pipeline.scrub.run import scrub

__all__ = ["scrub"]
