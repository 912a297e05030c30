"""Endpoints that are no conversations: embeddings, images, audio, moderations, rerank. Pure.

An operation reads a caller's request, and has a route to each provider format that serves it. Requests of
a provider's own shape are relayed as they are, but for the model's name.
"""
