"""What people read: languages, plain text, JSON."""
