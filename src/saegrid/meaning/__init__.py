"""What features are about."""
