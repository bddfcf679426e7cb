"""The WCC paper's tables, recomputed from the shipped networks through the counting code, and audited."""
