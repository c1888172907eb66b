"""Anthropic's Messages API: how a chat is asked of it, and how its answers read as a chat's."""
