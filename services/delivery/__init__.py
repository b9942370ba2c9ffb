"""Delivery: who has subscribed to what, and how it reaches them; see docs/subscriptions.md."""
