"""What knows a language: one folder per ecosystem."""
