"""The laboratory: any strategy against a noisy judge made from relevance judgements, without a model."""
