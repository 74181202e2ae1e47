"""All recipes together: what upstream did since their pins were made, and what follows from it."""
