"""Whether a refresh may be published. Rules and verdicts only; nothing here moves data."""
