"""Programs that run inside the sandbox, brought in as files; farm never imports them."""
