"""Exports of other products, read as the spans that their applications had sent."""
