"""The typed, frozen values that steps take and return; the lowest layer: it imports nothing of farm but errors."""
