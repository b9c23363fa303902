"""Executors: how a stream of requests reaches runners."""
