"""Asking a language model: any OpenAI-compatible endpoint, or a provider of your own."""
