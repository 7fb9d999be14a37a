"""Rerank text with as much thinking as the task deserves."""
