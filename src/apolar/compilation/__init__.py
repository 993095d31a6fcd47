"""Passes that are captured once and replayed."""
