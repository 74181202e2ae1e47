"""Builder images: what they are made of, how they are made, what identifies them."""
